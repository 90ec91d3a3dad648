package dev.longshore.deploy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Debian's Python with all of its library, of which a program uses little. */
final class PythonImage {

    private static final String SCRIPT = """
            set -e
            mkdir -p root/tmp
            python=$(readlink -f /usr/bin/python3)
            copy() { tar -C / -cf - "${1#/}" | tar -C root -xf -; }
            needs() {
                ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
                    target=$(readlink -f "$library")
                    copy "$target"
                    [ -e "root$library" ] || { mkdir -p "root$(dirname "$library")"; ln -s "$target" "root$library"; }
                done
            }
            copy "$python"
            copy /usr/bin/python3
            copy "/usr/lib/$(basename "$python")"
            needs "$python"
            for module in "/usr/lib/$(basename "$python")"/lib-dynload/*.so; do needs "$module"; done
            tar -C root --sort=name -cf root.tar .
            umoci init --layout layout
            umoci new --image layout:1
            umoci raw add-layer --image layout:1 root.tar
            umoci config --image layout:1 --config.cmd /usr/bin/python3
            """;

    private PythonImage() {}

    /** Imports it as {@code name}. */
    static void importTo(Suite suite, Path folder, String name) throws IOException {
        Programs.need("umoci", "python3");
        Programs.run(List.of("sh", "-c", "cd \"$1\"\n" + SCRIPT, "sh", folder.toString()))
                .ok();
        Path archive = TestImage.pack(folder.resolve("layout"), folder.resolve("python.tar"));
        suite.longshore("image", "import", "--name", name, archive.toString()).ok();
    }
}
