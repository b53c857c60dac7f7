import java.util.Objects;

/** Runs named checks one after the other and prints one line for each. */
final class Checks {
    /** A check's body: throws to fail. */
    interface Body {
        void run() throws Exception;
    }

    private final String client;
    private int failed;

    Checks(String client) {
        this.client = client;
    }

    void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok   " + client + ": " + name);
        } catch (Throwable e) {
            failed++;
            String text = e.toString().replaceAll("\\s+", " ");
            System.out.println("FAIL " + client + ": " + name + ": " + (text.length() > 300 ? text.substring(0, 300) : text));
        }
    }

    /** Prints the line that says that no check was left out, and ends the process. */
    void finish() {
        System.out.println("done " + client);
        System.exit(failed == 0 ? 0 : 1);
    }

    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }
}
