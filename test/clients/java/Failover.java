import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * Load of the unmodified Trino JDBC driver for failover.sh, which describes what is read and printed.
 * Arguments: server URL, folder with the queries.
 */
public final class Failover {
    private record Query(String name, boolean ordered, String sql) {}

    public static void main(String[] args) throws Exception {
        String url = args[0].replaceFirst("^http", "jdbc:trino") + "/lake/sf1";
        Path folder = Path.of(args[1]);
        List<Query> queries = new ArrayList<>();
        for (String line : Files.readAllLines(folder.resolve("queries.tsv"))) {
            String[] f = line.split("\t", 3);
            queries.add(new Query(f[0], f[1].equals("1"), f[2]));
        }
        Map<String, String> want = new HashMap<>();
        for (Query q : queries) {
            want.put(q.name, digest(url, q));
        }
        System.out.println("ready");
        while (true) {
            for (Query q : queries) {
                if (Files.exists(folder.resolve("stop"))) {
                    System.out.println("done");
                    System.exit(0);
                }
                long start = System.currentTimeMillis();
                String outcome = "ok";
                String detail = "";
                try {
                    if (!digest(url, q).equals(want.get(q.name))) {
                        outcome = "wrong";
                    }
                } catch (SQLException e) {
                    // The server's errors have a code, those of the connection have none.
                    outcome = e.getErrorCode() == 0 ? "cut" : "error";
                    detail = String.join(" ", (e.getMessage() + " " + e.getCause()).split("\\s+"));
                }
                System.out.println(String.join("\t", q.name, "" + start, "" + System.currentTimeMillis(), outcome, detail));
            }
        }
    }

    /** Runs a query on a connection of its own; the driver's HTTP connections live on beneath. */
    private static String digest(String url, Query q) throws Exception {
        Properties p = new Properties();
        p.setProperty("user", "jdbc");
        List<String> rows = new ArrayList<>();
        try (Connection c = DriverManager.getConnection(url, p); Statement s = c.createStatement(); ResultSet r = s.executeQuery(q.sql)) {
            int columns = r.getMetaData().getColumnCount();
            while (r.next()) {
                StringBuilder row = new StringBuilder();
                for (int i = 1; i <= columns; i++) {
                    row.append(r.getString(i)).append('|');
                }
                rows.add(row.toString());
            }
        }
        if (!q.ordered) {
            Collections.sort(rows);
        }
        byte[] all = String.join("\n", rows).getBytes(StandardCharsets.UTF_8);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(all));
    }
}
