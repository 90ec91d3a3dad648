package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.erofs.ErofsFormat.BLOCK;
import static dev.longshore.stargz.erofs.ErofsFormat.DIRENT;

import dev.longshore.stargz.index.LayerIndex;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToLongFunction;

/** The contents of folders: blocks of names, sorted, each with a table of them at its beginning. */
final class Folders {

    private static final byte[] SELF = {'.'};
    private static final byte[] PARENT = {'.', '.'};

    private final LayerIndex index;

    Folders(LayerIndex index) {
        this.index = index;
    }

    /** The names of a folder with the two of itself and its parent, sorted as the kernel searches them. */
    private List<byte[]> names(int folder) {
        List<byte[]> names = new ArrayList<>(index.count(folder) + 2);
        for (int i = 0; i < index.count(folder); i++) {
            names.add(index.name(folder, i));
        }
        names.add(place(names, SELF), SELF);
        names.add(place(names, PARENT), PARENT);
        return names;
    }

    private static int place(List<byte[]> names, byte[] name) {
        int place = 0;
        while (place < names.size() && Arrays.compareUnsigned(names.get(place), name) < 0) {
            place++;
        }
        return place;
    }

    private int inode(int folder, byte[] name) {
        if (Arrays.equals(name, SELF)) {
            return folder;
        }
        return Arrays.equals(name, PARENT) ? index.parent(folder) : index.lookup(folder, name);
    }

    /** Bytes of the folder. */
    int size(int folder) {
        int blocks = 0;
        int used = 0;
        for (byte[] name : names(folder)) {
            int needed = DIRENT + name.length;
            if (used + needed > BLOCK) {
                blocks++;
                used = 0;
            }
            used += needed;
        }
        return blocks * BLOCK + used;
    }

    /** @param numbers the image's number of an inode */
    ByteBuffer content(int folder, IntToLongFunction numbers) {
        ByteBuffer content = ByteBuffer.allocate(size(folder)).order(ByteOrder.LITTLE_ENDIAN);
        List<byte[]> names = names(folder);
        int at = 0;
        for (int from = 0; from < names.size(); at += BLOCK) {
            int to = from;
            for (int used = 0; to < names.size() && used + DIRENT + names.get(to).length <= BLOCK; to++) {
                used += DIRENT + names.get(to).length;
            }
            putBlock(folder, names.subList(from, to), numbers, content, at);
            from = to;
        }
        return content;
    }

    private void putBlock(int folder, List<byte[]> names, IntToLongFunction numbers, ByteBuffer content, int block) {
        int entry = block;
        int text = DIRENT * names.size();
        for (byte[] name : names) {
            int inode = inode(folder, name);
            content.putLong(entry, numbers.applyAsLong(inode))
                    .putShort(entry + 8, (short) text)
                    .put(entry + 10, fileType(inode));
            content.put(block + text, name);
            entry += DIRENT;
            text += name.length;
        }
    }

    /** The kernel's FT_... numbers. */
    private byte fileType(int inode) {
        return switch (index.mode(inode) >> 12) {
            case 010 -> 1;
            case 004 -> 2;
            case 002 -> 3;
            case 006 -> 4;
            case 001 -> 5;
            case 012 -> 7;
            default -> 0;
        };
    }
}
