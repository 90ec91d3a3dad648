package dev.longshore.cli.run;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A mount that was asked for, as {@code ctr} takes it: {@code type=bind,src=/host,dst=/data,options=rbind:ro}. The type is
 * {@code bind} and the options are {@code rbind:rw} where they are not given; {@code ro} alone is an option too.
 */
public record MountFlag(String type, String source, String destination, List<String> options) {

    public MountFlag {
        options = List.copyOf(options);
        if (!destination.startsWith("/")) {
            throw new InvalidArgumentException(
                    "mount \"%s\" needs dst=, an absolute path in the container".formatted(destination));
        }
        if (type.equals("bind") && !source.startsWith("/")) {
            throw new InvalidArgumentException(
                    "a bind mount on %s needs src=, an absolute path here".formatted(destination));
        }
    }

    /** @throws InvalidArgumentException if it is not of that form */
    public static MountFlag parse(String text) {
        String type = "bind";
        String source = "";
        String destination = "";
        List<String> options = new ArrayList<>();
        boolean readOnly = false;
        for (String part : text.split(",", -1)) {
            int equals = part.indexOf('=');
            String key = equals < 0 ? part : part.substring(0, equals);
            String value = equals < 0 ? "" : part.substring(equals + 1);
            switch (key) {
                case "type" -> type = value;
                case "src", "source" -> source = value;
                case "dst", "destination", "target" -> destination = value;
                case "options" -> options.addAll(List.of(value.split(":", -1)));
                case "ro", "readonly" -> readOnly = true;
                default ->
                    throw new InvalidArgumentException(
                            "mount \"%s\": unknown key \"%s\": use type, src, dst, options, ro".formatted(text, key));
            }
        }
        if (options.isEmpty() && type.equals("bind")) {
            options.add("rbind");
        }
        if (readOnly) {
            options.add("ro");
        }
        return new MountFlag(type, source, destination, options);
    }

    /** As in {@code mounts} of an OCI specification. */
    Map<String, Object> tree() {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("destination", destination);
        tree.put("type", type);
        tree.put("source", source.isEmpty() ? type : source);
        tree.put("options", options);
        return tree;
    }
}
