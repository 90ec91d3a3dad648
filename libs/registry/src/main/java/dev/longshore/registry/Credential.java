package dev.longshore.registry;

/**
 * What proves to a registry who is asking.
 *
 * @param user empty if {@code secret} is an identity token (OAuth 2 refresh token)
 */
public record Credential(String user, String secret) {

    /** Without the secret: records end up in logs. */
    @Override
    public String toString() {
        return "Credential[user=" + user + "]";
    }
}
