package dev.longshore.sdk.linux;

import com.sun.jna.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Memory outside of the heap, freed when it is closed and not cleared when it is made. For one thread at a time. */
public final class NativeBuffer implements AutoCloseable {

    private final Memory memory;
    private final ByteBuffer bytes;

    /** @param size bytes, at least 1 */
    public NativeBuffer(int size) {
        memory = new Memory(size);
        bytes = memory.getByteBuffer(0, size).order(ByteOrder.nativeOrder());
    }

    /** All of it, in the machine's byte order; nobody may use it once this is closed. */
    public ByteBuffer bytes() {
        return bytes;
    }

    public int size() {
        return bytes.capacity();
    }

    Memory memory() {
        return memory;
    }

    @Override
    public void close() {
        memory.close();
    }
}
