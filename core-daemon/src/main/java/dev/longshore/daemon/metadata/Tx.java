package dev.longshore.daemon.metadata;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A transaction under way: SQL with its arguments, and whether it left garbage. */
final class Tx {

    private final Session session;
    private boolean garbage;

    /** Makes a value of the current row. */
    @FunctionalInterface
    interface RowMapper<T> {

        T map(ResultSet row) throws SQLException;
    }

    Tx(Session session) {
        this.session = session;
    }

    <T> List<T> query(String sql, RowMapper<T> mapper, Object... arguments) throws SQLException {
        return session.with(sql, statement -> {
            bind(statement, arguments);
            try (ResultSet rows = statement.executeQuery()) {
                List<T> result = new ArrayList<>();
                while (rows.next()) {
                    result.add(mapper.map(rows));
                }
                return result;
            }
        });
    }

    /** The first row, if there is one. */
    <T> Optional<T> first(String sql, RowMapper<T> mapper, Object... arguments) throws SQLException {
        return query(sql, mapper, arguments).stream().findFirst();
    }

    boolean exists(String sql, Object... arguments) throws SQLException {
        return first(sql, row -> true, arguments).isPresent();
    }

    /** The number of rows that were changed. */
    int update(String sql, Object... arguments) throws SQLException {
        return session.with(sql, statement -> {
            bind(statement, arguments);
            return statement.executeUpdate();
        });
    }

    private static void bind(PreparedStatement statement, Object... arguments) throws SQLException {
        for (int i = 0; i < arguments.length; i++) {
            Object argument = arguments[i];
            switch (argument) {
                case String text -> statement.setString(i + 1, text);
                case Long number -> statement.setLong(i + 1, number);
                case Integer number -> statement.setInt(i + 1, number);
                case byte[] bytes -> statement.setBytes(i + 1, bytes);
                case Instant instant -> statement.setString(i + 1, instant.toString());
                default -> throw new IllegalArgumentException("no SQL type for " + argument.getClass());
            }
        }
    }

    /** The next number of a sequence that never gives one twice. */
    long next(String sequence) throws SQLException {
        update(
                "INSERT INTO sequence (name, value) VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1",
                sequence);
        return first("SELECT value FROM sequence WHERE name = ?", row -> row.getLong(1), sequence)
                .orElseThrow();
    }

    /** Says that this transaction may have left something unreferenced. */
    void leavesGarbage() {
        garbage = true;
    }

    boolean garbage() {
        return garbage;
    }

    static Instant instant(ResultSet row, String column) throws SQLException {
        return Instant.parse(row.getString(column));
    }
}
