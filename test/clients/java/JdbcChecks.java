import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * Acceptance of the unmodified Trino JDBC driver.
 * Arguments: name, server URL, folder of TPC-H queries, 1 if tables may be made in the catalog memory,
 * catalog whose schema tiny has TPC-H under the standard's names.
 */
public final class JdbcChecks {
    private final Checks checks;
    private final String url;
    private final Path tpch;
    private final String data;

    private JdbcChecks(String name, String server, Path tpch, String data) {
        this.checks = new Checks(name);
        this.url = server.replaceFirst("^http", "jdbc:trino").replaceFirst("^jdbc:trinos:", "jdbc:trino:");
        this.tpch = tpch;
        this.data = data;
    }

    public static void main(String[] args) throws Exception {
        JdbcChecks j = new JdbcChecks(args[0], args[1], Path.of(args[2]), args[4]);
        j.metadata();
        j.metadataOfOtherObjects();
        j.types();
        j.results();
        j.prepared();
        j.session();
        j.transactions();
        j.errors();
        j.ends();
        if (args[3].equals("1")) {
            j.writes();
        }
        j.tpch();
        j.checks.finish();
    }

    private Connection connect(String... properties) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", "jdbc");
        for (int i = 0; i < properties.length; i += 2) {
            p.setProperty(properties[i], properties[i + 1]);
        }
        return DriverManager.getConnection(url + "/tpch/tiny", p);
    }

    /** Runs a check with a connection and a statement of its own. */
    private void check(String name, Work work) {
        checks.check(name, () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                work.run(c, s);
            }
        });
    }

    private interface Work {
        void run(Connection c, Statement s) throws Exception;
    }

    private static List<String> column(ResultSet rows, int index) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(index));
        }
        return values;
    }

    private static List<String> names(ResultSet rows) throws SQLException {
        List<String> names = new ArrayList<>();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
            names.add(rows.getMetaData().getColumnName(i));
        }
        return names;
    }

    private static Object one(Statement s, String sql) throws SQLException {
        try (ResultSet rows = s.executeQuery(sql)) {
            Checks.that(rows.next(), "no row");
            Object value = rows.getObject(1);
            Checks.that(!rows.next(), "more than one row");
            return value;
        }
    }

    private static void fails(Checks.Body body, int code, String part) throws Exception {
        try {
            body.run();
        } catch (SQLException e) {
            Checks.that(e.getMessage().contains(part), "message is " + e.getMessage());
            Checks.equal(code, e.getErrorCode());
            return;
        }
        throw new AssertionError("no error");
    }

    private void metadata() {
        check("metadata: catalogs", (c, s) -> {
            ResultSet rows = c.getMetaData().getCatalogs();
            Checks.equal(List.of("TABLE_CAT"), names(rows));
            List<String> catalogs = column(rows, 1);
            Checks.that(catalogs.containsAll(List.of("system", "tpch", "tpchstd")), "catalogs are " + catalogs);
            Checks.equal(catalogs.stream().sorted().toList(), catalogs);
        });
        check("metadata: schemas", (c, s) -> {
            List<String> all = column(c.getMetaData().getSchemas(), 1);
            Checks.that(all.contains("tiny") && all.contains("information_schema"), "schemas are " + all);
            ResultSet rows = c.getMetaData().getSchemas("tpch", "ti%");
            Checks.equal(List.of("TABLE_SCHEM", "TABLE_CATALOG"), names(rows));
            Checks.equal(List.of("tiny"), column(rows, 1));
            Checks.equal(List.of(), column(c.getMetaData().getSchemas("nosuch", null), 1));
        });
        check("metadata: table types", (c, s) ->
            Checks.equal(List.of("TABLE", "VIEW"), column(c.getMetaData().getTableTypes(), 1)));
        check("metadata: tables of a schema", (c, s) -> {
            ResultSet rows = c.getMetaData().getTables("tpch", "tiny", null, null);
            Checks.equal(List.of("TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", "TYPE_CAT", "TYPE_SCHEM",
                "TYPE_NAME", "SELF_REFERENCING_COL_NAME", "REF_GENERATION"), names(rows));
            Checks.equal(List.of("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"), column(rows, 3));
        });
        check("metadata: tables by pattern and type", (c, s) -> {
            DatabaseMetaData m = c.getMetaData();
            Checks.equal(List.of("part", "partsupp"), column(m.getTables("tpch", "tiny", "part%", new String[] {"TABLE"}), 3));
            Checks.equal(List.of(), column(m.getTables("tpch", "tiny", "part%", new String[] {"VIEW"}), 3));
            Checks.equal(List.of("nation"), column(m.getTables("tpch", "tin_", "nation", new String[] {"TABLE", "VIEW"}), 3));
            Checks.equal(List.of(), column(m.getTables("tpch", "tin\\_", null, null), 3));
            Checks.that(column(m.getTables("system", "information_schema", "columns", null), 3).size() == 1, "no information_schema");
        });
        check("metadata: columns", (c, s) -> {
            ResultSet rows = c.getMetaData().getColumns("tpch", "tiny", "orders", "%");
            Checks.equal(24, names(rows).size());
            List<String> seen = new ArrayList<>();
            while (rows.next()) {
                seen.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME") + " " + rows.getInt("DATA_TYPE")
                    + " " + rows.getInt("ORDINAL_POSITION") + " " + rows.getString("IS_NULLABLE"));
            }
            Checks.equal(9, seen.size());
            Checks.that(seen.get(0).startsWith("orderkey bigint " + Types.BIGINT + " 1 "), seen.get(0));
            Checks.that(seen.get(3).startsWith("totalprice double " + Types.DOUBLE + " 4 "), seen.get(3));
            Checks.that(seen.get(4).startsWith("orderdate date " + Types.DATE + " 5 "), seen.get(4));
            Checks.that(seen.get(8).startsWith("comment varchar(79) " + Types.VARCHAR + " 9 "), seen.get(8));
        });
        check("metadata: tables and columns of TPC-H", (c, s) -> {
            Checks.equal(List.of("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"),
                column(c.getMetaData().getTables(data, "tiny", null, new String[] {"TABLE"}), 3));
            Checks.equal(List.of("r_regionkey", "r_name", "r_comment"), column(c.getMetaData().getColumns(data, "tiny", "region", null), 4));
        });
        check("metadata: columns by pattern", (c, s) -> {
            ResultSet rows = c.getMetaData().getColumns("tpchstd", "tiny", "li%", "%price");
            Checks.that(rows.next(), "no row");
            Checks.equal("l_extendedprice", rows.getString("COLUMN_NAME"));
            Checks.equal(Types.DECIMAL, rows.getInt("DATA_TYPE"));
            Checks.equal(12, rows.getInt("COLUMN_SIZE"));
            Checks.equal(2, rows.getInt("DECIMAL_DIGITS"));
            Checks.that(!rows.next(), "more than one row");
        });
        check("metadata: types", (c, s) -> {
            ResultSet rows = c.getMetaData().getTypeInfo();
            Checks.equal(18, names(rows).size());
            List<String> types = column(rows, 1);
            Checks.that(types.containsAll(List.of("boolean", "bigint", "integer", "double", "varchar", "date", "decimal")), "types are " + types);
        });
    }

    private void metadataOfOtherObjects() {
        check("metadata: keys", (c, s) -> {
            Checks.equal(List.of(), column(c.getMetaData().getPrimaryKeys("tpch", "tiny", "orders"), 4));
            Checks.equal(List.of(), column(c.getMetaData().getImportedKeys("tpch", "tiny", "orders"), 4));
        });
        check("metadata: procedures", (c, s) -> {
            Checks.equal(9, names(c.getMetaData().getProcedures(null, null, null)).size());
            Checks.equal(20, names(c.getMetaData().getProcedureColumns(null, null, null, null)).size());
        });
        check("metadata: user-defined and super types", (c, s) -> {
            Checks.equal(7, names(c.getMetaData().getUDTs(null, null, "%", null)).size());
            Checks.equal(6, names(c.getMetaData().getSuperTypes(null, null, "%")).size());
            Checks.equal(4, names(c.getMetaData().getSuperTables(null, null, "%")).size());
            Checks.equal(21, names(c.getMetaData().getAttributes(null, null, "%", "%")).size());
            Checks.equal(12, names(c.getMetaData().getPseudoColumns(null, null, "%", "%")).size());
        });
        check("metadata: user and version", (c, s) -> {
            Checks.equal("jdbc", c.getMetaData().getUserName());
            Checks.that(!c.getMetaData().getDatabaseProductVersion().isEmpty(), "no version");
            Checks.equal("Trino", c.getMetaData().getDatabaseProductName());
        });
        check("metadata: features", (c, s) -> {
            DatabaseMetaData m = c.getMetaData();
            Checks.equal("\"", m.getIdentifierQuoteString());
            Checks.that(m.supportsCatalogsInDataManipulation() && m.supportsSchemasInTableDefinitions(), "catalogs or schemas");
            Checks.equal("\\", m.getSearchStringEscape());
        });
    }

    private void types() {
        Object[][] cases = {
            {"true", Types.BOOLEAN, true},
            {"TINYINT '-5'", Types.TINYINT, (byte) -5},
            {"SMALLINT '300'", Types.SMALLINT, (short) 300},
            {"7", Types.INTEGER, 7},
            {"BIGINT '9223372036854775807'", Types.BIGINT, Long.MAX_VALUE},
            {"REAL '1.5'", Types.REAL, 1.5f},
            {"1.5E0", Types.DOUBLE, 1.5},
            {"nan()", Types.DOUBLE, Double.NaN},
            {"-infinity()", Types.DOUBLE, Double.NEGATIVE_INFINITY},
            {"DECIMAL '123.450'", Types.DECIMAL, new BigDecimal("123.450")},
            {"DECIMAL '-12345678901234567890.12'", Types.DECIMAL, new BigDecimal("-12345678901234567890.12")},
            {"'text é'", Types.VARCHAR, "text é"},
            {"''", Types.VARCHAR, ""},
            {"CAST('a' AS char(3))", Types.CHAR, "a  "},
            {"DATE '2024-02-29'", Types.DATE, Date.valueOf("2024-02-29")},
            {"TIMESTAMP '2024-02-29 12:34:56.789'", Types.TIMESTAMP, Timestamp.valueOf("2024-02-29 12:34:56.789")},
            {"TIMESTAMP '2024-02-29 12:34:56.123456'", Types.TIMESTAMP, Timestamp.valueOf("2024-02-29 12:34:56.123456")},
            {"TIME '12:34:56'", Types.TIME, java.sql.Time.valueOf("12:34:56")},
            {"CAST(NULL AS bigint)", Types.BIGINT, null},
            {"NULL", Types.NULL, null},
        };
        for (Object[] t : cases) {
            check("type: " + t[0], (c, s) -> {
                try (ResultSet rows = s.executeQuery("SELECT " + t[0])) {
                    Checks.equal(t[1], rows.getMetaData().getColumnType(1));
                    Checks.that(rows.next(), "no row");
                    Checks.equal(t[2], rows.getObject(1));
                    Checks.equal(t[2] == null, rows.wasNull());
                }
            });
        }
        check("type: timestamp with time zone", (c, s) -> {
            try (ResultSet rows = s.executeQuery("SELECT TIMESTAMP '2024-02-29 12:00:00 Europe/Rome'")) {
                Checks.equal(Types.TIMESTAMP_WITH_TIMEZONE, rows.getMetaData().getColumnType(1));
                Checks.that(rows.next(), "no row");
                Checks.equal(1709204400000L, rows.getTimestamp(1).getTime());
            }
        });
        check("type: varbinary", (c, s) ->
            Checks.that(Arrays.equals(new byte[] {0, (byte) 255}, (byte[]) one(s, "SELECT X'00FF'")), "bytes differ"));
        check("type: array", (c, s) -> {
            Array array = (Array) one(s, "SELECT ARRAY[1, NULL, 3]");
            Checks.equal(Arrays.asList(1, null, 3), Arrays.asList((Object[]) array.getArray()));
            Checks.equal(Types.INTEGER, array.getBaseType());
        });
        check("type: map", (c, s) ->
            Checks.equal(Map.of("a", 1, "b", 2), one(s, "SELECT MAP(ARRAY['a', 'b'], ARRAY[1, 2])")));
        check("type: row", (c, s) -> Checks.that(
            one(s, "SELECT CAST(ROW(1, 'x') AS row(a bigint, b varchar))").toString().contains("x"), "row differs"));
        check("type: interval", (c, s) -> {
            Checks.equal("3 00:00:00.000", one(s, "SELECT INTERVAL '3' DAY").toString());
            Checks.equal("1-2", one(s, "SELECT INTERVAL '14' MONTH").toString());
        });
        check("types of a table's columns", (c, s) -> {
            try (ResultSet rows = s.executeQuery("SELECT * FROM tpchstd.tiny.lineitem LIMIT 1")) {
                ResultSetMetaData m = rows.getMetaData();
                Checks.equal(16, m.getColumnCount());
                Checks.equal("l_extendedprice", m.getColumnLabel(6));
                Checks.equal(Types.DECIMAL, m.getColumnType(6));
                Checks.equal(12, m.getPrecision(6));
                Checks.equal(2, m.getScale(6));
                Checks.equal("java.math.BigDecimal", m.getColumnClassName(6));
                Checks.equal(Types.DATE, m.getColumnType(11));
                Checks.equal("date", m.getColumnTypeName(11));
            }
        });
    }

    private void results() {
        check("result: conversions", (c, s) -> {
            try (ResultSet rows = s.executeQuery("SELECT 42 AS a, '17' AS b, 2.50 AS c, true AS d, NULL AS e")) {
                Checks.that(rows.next(), "no row");
                Checks.equal(42L, rows.getLong("a"));
                Checks.equal("42", rows.getString("A"));
                Checks.equal(17, rows.getInt("b"));
                Checks.equal(2.5, rows.getDouble("c"));
                Checks.equal(true, rows.getBoolean("d"));
                Checks.equal(0, rows.getInt("e"));
                Checks.that(rows.wasNull(), "not null");
            }
        });
        check("result: empty", (c, s) -> {
            try (ResultSet rows = s.executeQuery("SELECT name FROM nation WHERE nationkey < 0")) {
                Checks.equal(List.of("name"), names(rows));
                Checks.that(!rows.next(), "a row");
            }
        });
        check("result: 60,175 rows", (c, s) -> {
            long rowCount = 0;
            long sum = 0;
            try (ResultSet rows = s.executeQuery("SELECT orderkey, comment FROM lineitem")) {
                while (rows.next()) {
                    rowCount++;
                    sum += rows.getLong(1) + rows.getString(2).length();
                }
            }
            Checks.equal(60175L, rowCount);
            Checks.equal(one(s, "SELECT sum(orderkey + length(comment)) FROM lineitem"), sum);
        });
        check("result: closed early", (c, s) -> {
            for (int i = 0; i < 5; i++) {
                try (ResultSet rows = s.executeQuery("SELECT * FROM lineitem")) {
                    Checks.that(rows.next(), "no row");
                }
            }
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
        });
        check("result: max rows", (c, s) -> {
            s.setMaxRows(3);
            Checks.equal(3, column(s.executeQuery("SELECT name FROM nation"), 1).size());
        });
        check("result: execute says what came", (c, s) -> {
            Checks.that(s.execute("SELECT 1"), "no result set");
            Checks.equal(-1, s.getUpdateCount());
            Checks.that(!s.getMoreResults(), "more results");
            Checks.that(!s.execute("USE tpchstd.tiny"), "a result set");
        });
        check("result: statements one after the other on one connection", (c, s) -> {
            for (long i = 0; i < 30; i++) {
                Checks.equal((int) i, one(s, "SELECT " + i));
            }
        });
    }

    private void prepared() {
        for (String explicit : List.of("true", "false")) {
            String name = "prepared (explicitPrepare=" + explicit + "): ";
            checks.check(name + "parameters of all types", () -> {
                try (Connection c = connect("explicitPrepare", explicit);
                    PreparedStatement p = c.prepareStatement("SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?")) {
                    p.setLong(1, 3);
                    p.setString(2, "O'X é");
                    p.setBigDecimal(3, new BigDecimal("1.50"));
                    p.setDate(4, Date.valueOf("2024-02-29"));
                    p.setTimestamp(5, Timestamp.valueOf("2024-02-29 12:34:56.789"));
                    p.setBoolean(6, true);
                    p.setDouble(7, 2.5);
                    p.setNull(8, Types.VARCHAR);
                    p.setBytes(9, new byte[] {1, 2});
                    try (ResultSet rows = p.executeQuery()) {
                        Checks.that(rows.next(), "no row");
                        Checks.equal(3L, rows.getObject(1));
                        Checks.equal("O'X é", rows.getObject(2));
                        Checks.equal(new BigDecimal("1.50"), rows.getObject(3));
                        Checks.equal(Date.valueOf("2024-02-29"), rows.getObject(4));
                        Checks.equal(Timestamp.valueOf("2024-02-29 12:34:56.789"), rows.getTimestamp(5));
                        Checks.equal(true, rows.getObject(6));
                        Checks.equal(2.5, rows.getObject(7));
                        Checks.equal(null, rows.getObject(8));
                        Checks.that(Arrays.equals(new byte[] {1, 2}, rows.getBytes(9)), "bytes differ");
                    }
                }
            });
            checks.check(name + "executed again", () -> {
                try (Connection c = connect("explicitPrepare", explicit);
                    PreparedStatement p = c.prepareStatement("SELECT name FROM nation WHERE nationkey = ? AND name LIKE ?")) {
                    p.setString(2, "%A");
                    List<String> seen = new ArrayList<>();
                    for (int key : new int[] {0, 1, 2}) {
                        p.setInt(1, key);
                        try (ResultSet rows = p.executeQuery()) {
                            seen.addAll(column(rows, 1));
                        }
                    }
                    Checks.equal(List.of("ALGERIA", "ARGENTINA"), seen);
                }
            });
            checks.check(name + "LIMIT and IN", () -> {
                try (Connection c = connect("explicitPrepare", explicit);
                    PreparedStatement p = c.prepareStatement("SELECT name FROM nation WHERE regionkey IN (?, ?) ORDER BY name LIMIT ?")) {
                    p.setInt(1, 0);
                    p.setInt(2, 1);
                    p.setLong(3, 2);
                    Checks.equal(List.of("ALGERIA", "ARGENTINA"), column(p.executeQuery(), 1));
                }
            });
            checks.check(name + "metadata", () -> {
                try (Connection c = connect("explicitPrepare", explicit);
                    PreparedStatement p = c.prepareStatement("SELECT name, nationkey + 1 AS k FROM nation WHERE nationkey = ? AND name = ?")) {
                    ResultSetMetaData m = p.getMetaData();
                    Checks.equal(2, m.getColumnCount());
                    Checks.equal("k", m.getColumnName(2));
                    Checks.equal(Types.BIGINT, m.getColumnType(2));
                    Checks.equal(2, p.getParameterMetaData().getParameterCount());
                    Checks.equal(Types.BIGINT, p.getParameterMetaData().getParameterType(1));
                }
            });
        }
        checks.check("prepared: wrong SQL", () -> {
            try (Connection c = connect()) {
                fails(() -> c.prepareStatement("SELECT nosuch FROM nation WHERE nationkey = 1").executeQuery(), 47, "Column 'nosuch' cannot be resolved");
            }
        });
        check("prepared: by statements", (c, s) -> {
            s.execute("PREPARE q FROM SELECT name FROM nation WHERE nationkey = ?");
            Checks.equal("CHINA", one(s, "EXECUTE q USING 18"));
            Checks.equal(List.of("name"), column(s.executeQuery("DESCRIBE OUTPUT q"), 1));
            Checks.equal(List.of("bigint"), column(s.executeQuery("DESCRIBE INPUT q"), 2));
            s.execute("DEALLOCATE PREPARE q");
            fails(() -> s.execute("EXECUTE q USING 18"), 5, "Prepared statement not found: q");
        });
    }

    private void session() {
        check("session: catalog and schema", (c, s) -> {
            Checks.equal("tpch", c.getCatalog());
            Checks.equal("tiny", c.getSchema());
            c.setCatalog("tpchstd");
            Checks.equal("CHINA", one(s, "SELECT n_name FROM nation WHERE n_nationkey = 18"));
            s.execute("USE tpch.sf1");
            Checks.equal("tpch", c.getCatalog());
            Checks.equal("sf1", c.getSchema());
        });
        check("session: properties", (c, s) -> {
            s.execute("SET SESSION query_max_run_time = '7m'");
            try (ResultSet rows = s.executeQuery("SHOW SESSION LIKE 'query_max_run_time'")) {
                Checks.that(rows.next(), "no row");
                Checks.equal("7m", rows.getString("Value"));
            }
            s.execute("RESET SESSION query_max_run_time");
            try (ResultSet rows = s.executeQuery("SHOW SESSION LIKE 'query_max_run_time'")) {
                Checks.that(rows.next(), "no row");
                Checks.equal(rows.getString("Default"), rows.getString("Value"));
            }
            fails(() -> s.execute("SET SESSION nosuch = 1"), 14, "Session property 'nosuch' does not exist");
        });
        checks.check("session: client info, tags, time zone", () -> {
            try (Connection c = connect("applicationNamePrefix", "check-", "clientTags", "a,b", "clientInfo", "info", "timezone", "Asia/Tokyo");
                Statement s = c.createStatement()) {
                Checks.equal("Asia/Tokyo", one(s, "SELECT current_timezone()"));
            }
        });
        check("session: valid until closed", (c, s) -> {
            Checks.that(c.isValid(10), "not valid");
            c.close();
            Checks.that(!c.isValid(10), "valid after close");
        });
        check("session: show", (c, s) -> {
            Checks.that(column(s.executeQuery("SHOW CATALOGS"), 1).contains("tpch"), "no tpch");
            Checks.that(column(s.executeQuery("SHOW SCHEMAS"), 1).contains("tiny"), "no tiny");
            Checks.equal(8, column(s.executeQuery("SHOW TABLES"), 1).size());
            Checks.equal(List.of("regionkey", "name", "comment"), column(s.executeQuery("DESCRIBE region"), 1));
            Checks.that(column(s.executeQuery("SHOW FUNCTIONS"), 1).contains("count"), "no count");
        });
        check("session: explain", (c, s) ->
            Checks.that(one(s, "EXPLAIN SELECT count(*) FROM nation").toString().contains("nation"), "no plan"));
    }

    private void transactions() {
        check("transaction: commit and rollback", (c, s) -> {
            c.setAutoCommit(false);
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
            Checks.equal(5L, one(s, "SELECT count(*) FROM region"));
            c.commit();
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
            c.rollback();
            c.setAutoCommit(true);
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
        });
        check("transaction: read only", (c, s) -> {
            c.setReadOnly(true);
            c.setAutoCommit(false);
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
            c.commit();
        });
        check("transaction: by statements", (c, s) -> {
            s.execute("START TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY");
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
            s.execute("COMMIT");
            fails(() -> s.execute("COMMIT"), 21, "No transaction in progress");
        });
        check("transaction: after an error", (c, s) -> {
            c.setAutoCommit(false);
            fails(() -> one(s, "SELECT 1 / 0"), 8, "Division by zero");
            c.rollback();
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
            c.rollback();
        });
    }

    private void errors() {
        Object[][] cases = {
            {"SELEC 1", 1, "line 1:1:"},
            {"SELECT nosuch FROM nation", 47, "line 1:8: Column 'nosuch' cannot be resolved"},
            {"SELECT * FROM nosuch", 46, "line 1:15: Table 'tpch.tiny.nosuch' does not exist"},
            {"SELECT * FROM tpch.nosuch.nation", 45, "line 1:15: Schema 'nosuch' does not exist"},
            {"SELECT * FROM nosuch.tiny.nation", 44, "line 1:15: Catalog 'nosuch' not found"},
            {"SELECT nosuch(1)", 6, "line 1:8: Function 'nosuch' not registered"},
            {"SELECT 1 + 'a'", 58, "line 1:10: Cannot apply operator: integer + varchar(1)"},
            {"SELECT 10 / nationkey FROM nation", 8, "Division by zero"},
            {"SELECT CAST('x' AS integer)", 9, "Cannot cast 'x' to INT"},
            {"SELECT (SELECT nationkey FROM nation)", 28, "Scalar sub-query has returned multiple rows"},
        };
        for (Object[] t : cases) {
            check("error: " + t[0], (c, s) -> fails(() -> {
                try (ResultSet rows = s.executeQuery((String) t[0])) {
                    while (rows.next()) {
                        rows.getObject(1);
                    }
                }
            }, (int) t[1], (String) t[2]));
        }
    }

    /** Runs for very long and holds little memory. */
    private static final String ENDLESS = "SELECT count(*) FROM lineitem a CROSS JOIN lineitem b CROSS JOIN orders c WHERE a.comment <> b.comment || c.comment";

    private void ends() {
        check("cancel", (c, s) -> {
            Thread canceler = new Thread(() -> {
                try {
                    Thread.sleep(1500);
                    s.cancel();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            long start = System.nanoTime();
            canceler.start();
            try {
                one(s, ENDLESS);
                throw new AssertionError("it ended by itself");
            } catch (SQLException e) {
                long seconds = (System.nanoTime() - start) / 1_000_000_000L;
                Checks.that(seconds < 15, "canceling took " + seconds + " s");
            }
            canceler.join();
            Checks.equal(25L, one(s, "SELECT count(*) FROM nation"));
        });
        check("query timeout", (c, s) -> {
            s.setQueryTimeout(2);
            fails(() -> one(s, ENDLESS), 131075, "exceeded");
        });
    }

    private void writes() {
        check("write: create, insert, read, drop", (c, s) -> {
            c.setCatalog("memory");
            c.setSchema("default");
            s.execute("DROP TABLE IF EXISTS memory.default.jdbc_check");
            s.execute("CREATE TABLE memory.default.jdbc_check (a bigint, b varchar)");
            Checks.equal(2, s.executeUpdate("INSERT INTO jdbc_check VALUES (1, 'x'), (2, NULL)"));
            try (PreparedStatement p = c.prepareStatement("INSERT INTO jdbc_check VALUES (?, ?)")) {
                p.setLong(1, 3);
                p.setString(2, "z");
                Checks.equal(1, p.executeUpdate());
            }
            Checks.equal(3L, one(s, "SELECT count(*) FROM jdbc_check"));
            Checks.equal(List.of("jdbc_check"), column(c.getMetaData().getTables("memory", "default", "jdbc\\_check", null), 3));
            Checks.equal(0, s.executeUpdate("DROP TABLE jdbc_check"));
        });
        check("write: create table as", (c, s) -> {
            s.execute("DROP TABLE IF EXISTS memory.default.jdbc_nation");
            Checks.equal(25, s.executeUpdate("CREATE TABLE memory.default.jdbc_nation AS SELECT * FROM nation"));
            s.execute("DROP TABLE memory.default.jdbc_nation");
        });
    }

    private void tpch() {
        for (int i = 1; i <= 22; i++) {
            String name = String.format("q%02d", i);
            checks.check("tpch " + name, () -> {
                List<String> want = Files.readAllLines(tpch.resolve("answers/tiny/" + name + ".csv"));
                List<String> got = new ArrayList<>();
                try (Connection c = connect(); Statement s = c.createStatement()) {
                    s.execute("USE " + data + ".tiny");
                    try (ResultSet rows = s.executeQuery(Files.readString(tpch.resolve(name + ".sql")))) {
                        int columns = rows.getMetaData().getColumnCount();
                        while (rows.next()) {
                            List<String> row = new ArrayList<>();
                            for (int k = 1; k <= columns; k++) {
                                String v = rows.getString(k);
                                row.add(v == null ? "NULL" : v);
                            }
                            got.add(String.join("|", row));
                        }
                    }
                }
                Checks.equal(want.subList(1, want.size()), got);
            });
        }
    }
}
