package dev.longshore.daemon.metadata;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A connection, and the statements that were prepared on it: to parse a statement takes longer than most of them run. For one thread
 * at a time.
 */
final class Session implements AutoCloseable {

    /** A few kilobytes each. */
    private static final int KEPT = 48;

    private final Connection connection;

    /** Those that nobody uses at the moment, the one that was used last at the end. */
    private final Map<String, PreparedStatement> idle = new LinkedHashMap<>();

    Session(Connection connection) {
        this.connection = connection;
    }

    /** What is done with a statement. It must not keep it. */
    @FunctionalInterface
    interface Use<T> {

        T apply(PreparedStatement statement) throws SQLException;
    }

    <T> T with(String sql, Use<T> use) throws SQLException {
        PreparedStatement statement = idle.remove(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
        }
        T result;
        try {
            result = use.apply(statement);
            statement.clearParameters(); // which may be large
        } catch (SQLException | RuntimeException | Error e) {
            statement.close();
            throw e;
        }
        keep(sql, statement);
        return result;
    }

    private void keep(String sql, PreparedStatement statement) throws SQLException {
        PreparedStatement other = idle.put(sql, statement);
        if (other != null) {
            other.close(); // it was used while this one was
        }
        if (idle.size() > KEPT) {
            var eldest = idle.entrySet().iterator();
            eldest.next().getValue().close();
            eldest.remove();
        }
    }

    /** Runs a statement that has no arguments and answers nothing. */
    void execute(String sql) throws SQLException {
        with(sql, PreparedStatement::execute);
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
