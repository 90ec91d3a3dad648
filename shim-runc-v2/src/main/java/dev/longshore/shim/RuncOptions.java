package dev.longshore.shim;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.runc.v1.Options;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The runtime options of a container, {@code containerd.runc.v1.Options}, kept in its bundle for {@code delete}. */
record RuncOptions(Options options) {

    private static final String TYPE = "containerd.runc.v1.Options";

    /** @throws InvalidArgumentException if they are of another type */
    static RuncOptions parse(Any any) {
        String type = any.getTypeUrl().substring(any.getTypeUrl().lastIndexOf('/') + 1);
        if (type.isEmpty()) {
            return new RuncOptions(Options.getDefaultInstance());
        }
        if (!type.equals(TYPE)) {
            throw new InvalidArgumentException(
                    "runtime options of type %s are not for this shim, which takes %s".formatted(type, TYPE));
        }
        try {
            return new RuncOptions(Options.parseFrom(any.getValue()));
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException("runtime options cannot be read", e);
        }
    }

    void save(TaskBundle bundle) throws IOException {
        if (!options.equals(Options.getDefaultInstance())) {
            StateFile.write(bundle.options(), options.toByteArray());
        }
    }

    static RuncOptions load(TaskBundle bundle) throws IOException {
        try {
            return new RuncOptions(Options.parseFrom(Files.readAllBytes(bundle.options())));
        } catch (NoSuchFileException e) {
            return new RuncOptions(Options.getDefaultInstance());
        }
    }

    String binary() {
        return options.getBinaryName().isEmpty() ? "runc" : options.getBinaryName();
    }

    /** Whether it is runc itself, as far as its name says. */
    boolean isRunc() {
        return Path.of(binary()).endsWith("runc");
    }

    String root() {
        return options.getRoot().isEmpty() ? Config.RUNC_ROOT : options.getRoot();
    }
}
