package dev.longshore.stargz.index;

import java.util.Arrays;

/** The names in folders while an index is built: which node is called this in that folder. Nodes are numbered from 0. */
final class NameTable {

    private static final int NONE = -1;

    private byte[] text = new byte[1 << 12];
    private int textSize;

    private int[] parents = new int[64];
    private int[] offsets = new int[64];
    private int[] inodes = new int[64];
    private int count;

    /** Open addressing with linear probing; at most half full. */
    private int[] slots = filled(128);

    int size() {
        return count;
    }

    int textSize() {
        return textSize;
    }

    /** The node, or -1. */
    int find(int parent, byte[] name) {
        int mask = slots.length - 1;
        for (int slot = hash(parent, name, 0, name.length) & mask; ; slot = (slot + 1) & mask) {
            int node = slots[slot];
            if (node == NONE || (parents[node] == parent && is(node, name))) {
                return node;
            }
        }
    }

    /** Adds a name that {@link #find} did not find. */
    int add(int parent, byte[] name, int inode) {
        if (2 * (count + 1) > slots.length) {
            rehash();
        }
        if (count == parents.length) {
            parents = Arrays.copyOf(parents, 2 * count);
            offsets = Arrays.copyOf(offsets, 2 * count);
            inodes = Arrays.copyOf(inodes, 2 * count);
        }
        int node = count++;
        parents[node] = parent;
        inodes[node] = inode;
        offsets[node] = append(name);
        insert(node, hash(parent, name, 0, name.length));
        return node;
    }

    private int append(byte[] name) {
        if (textSize + name.length > text.length) {
            text = Arrays.copyOf(text, Math.max(2 * text.length, textSize + name.length));
        }
        System.arraycopy(name, 0, text, textSize, name.length);
        int offset = textSize;
        textSize += name.length;
        return offset;
    }

    int parent(int node) {
        return parents[node];
    }

    int inode(int node) {
        return inodes[node];
    }

    void setInode(int node, int inode) {
        inodes[node] = inode;
    }

    byte[] name(int node) {
        return Arrays.copyOfRange(text, offsets[node], end(node));
    }

    /** Of the names' bytes, as numbers without sign: how the folders of an index are sorted. */
    int compare(int left, int right) {
        return Arrays.compareUnsigned(text, offsets[left], end(left), text, offsets[right], end(right));
    }

    private int end(int node) {
        return node + 1 < count ? offsets[node + 1] : textSize;
    }

    private boolean is(int node, byte[] name) {
        return Arrays.equals(text, offsets[node], end(node), name, 0, name.length);
    }

    private void rehash() {
        slots = filled(2 * slots.length);
        for (int node = 0; node < count; node++) {
            insert(node, hash(parents[node], text, offsets[node], end(node)));
        }
    }

    private void insert(int node, int hash) {
        int mask = slots.length - 1;
        int slot = hash & mask;
        while (slots[slot] != NONE) {
            slot = (slot + 1) & mask;
        }
        slots[slot] = node;
    }

    private static int[] filled(int size) {
        int[] slots = new int[size];
        Arrays.fill(slots, NONE);
        return slots;
    }

    /** FNV-1a over the name, mixed with the folder. */
    private static int hash(int parent, byte[] text, int from, int to) {
        int hash = 0x811c9dc5 ^ (parent * 0x9e3779b1);
        for (int i = from; i < to; i++) {
            hash = (hash ^ (text[i] & 0xff)) * 0x01000193;
        }
        return hash ^ (hash >>> 15);
    }
}
