package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Opens the keys of layers with those that one has. */
public final class KeyUnwrapper {

    private static final String PROVIDER = "provider.";

    /** Wrapped keys of one layer: to try one takes milliseconds. */
    private static final int MAX_WRAPPED = 1000;

    private final DecryptionKeys keys;
    private final KeyProviders providers;

    public KeyUnwrapper(DecryptionKeys keys, KeyProviders providers) {
        this.keys = keys;
        this.providers = providers;
    }

    /** What a layer is opened with. */
    public record Opened(LayerKey key, LayerSeal seal) {}

    /**
     * @param annotations of the layer's descriptor
     * @throws FailedPreconditionException if none of the keys fits: with the reason of each
     * @throws InvalidArgumentException if the layer does not say how it is encrypted
     */
    public Opened unwrap(Map<String, String> annotations) throws IOException {
        String published = annotations.get(Annotations.PUBLIC_OPTIONS);
        if (published == null) {
            throw new InvalidArgumentException(
                    "the layer has no annotation %s: it is not encrypted, or its manifest was damaged"
                            .formatted(Annotations.PUBLIC_OPTIONS));
        }
        LayerSeal seal = LayerSeal.parse(published);
        List<String> schemes = new ArrayList<>();
        List<String> reasons = new ArrayList<>();
        int tried = 0;
        for (Map.Entry<String, String> annotation : annotations.entrySet()) {
            if (!annotation.getKey().startsWith(Annotations.KEYS)) {
                continue;
            }
            String scheme = annotation.getKey().substring(Annotations.KEYS.length());
            schemes.add(scheme);
            for (String wrapped : annotation.getValue().split(",", -1)) {
                if (++tried > MAX_WRAPPED) {
                    throw new InvalidArgumentException(
                            "the key of a layer is wrapped more than %d times".formatted(MAX_WRAPPED));
                }
                try {
                    Optional<byte[]> opened = unwrap(scheme, Values.decode(wrapped, annotation.getKey()));
                    if (opened.isPresent()) {
                        return new Opened(LayerKey.parse(opened.get(), seal), seal);
                    }
                } catch (ContainerdException e) {
                    reasons.add(scheme + ": " + e.getMessage());
                }
            }
        }
        if (schemes.isEmpty()) {
            throw new InvalidArgumentException("the layer has no wrapped key in its annotations");
        }
        throw new FailedPreconditionException("no key fits the layer, whose key is wrapped as %s%s%s"
                .formatted(
                        String.join(", ", schemes),
                        keys.isEmpty() ? "; there is no private key at all" : "",
                        reasons.isEmpty() ? "" : ": " + String.join("; ", reasons)));
    }

    private Optional<byte[]> unwrap(String scheme, byte[] wrapped) throws IOException {
        if (!scheme.startsWith(PROVIDER)) {
            return keys.unwrap(scheme, wrapped);
        }
        String name = scheme.substring(PROVIDER.length());
        return providers.has(name) ? Optional.of(providers.unwrap(name, wrapped, keys.parameters())) : Optional.empty();
    }
}
