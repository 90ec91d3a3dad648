package dev.longshore.daemon.boot;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, which is for reading the configuration again; left alone, it would end the daemon. The JDK has no interface for
 * signals but {@code sun.misc.Signal} of the module jdk.unsupported. It is looked up by name, because javac warns of every mention
 * of it, and that warning cannot be turned off where warnings are errors.
 */
final class HangUp {

    private static final Logger log = LoggerFactory.getLogger(HangUp.class);

    private HangUp() {}

    /**
     * Has {@code action} run, on a thread of its own, whenever the signal comes. Where the process was started with the signal
     * ignored, as by nohup(1), it stays so.
     */
    static void handle(Runnable action) {
        try {
            MethodHandles.Lookup lookup = MethodHandles.publicLookup();
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object hangUp = lookup.findConstructor(signal, MethodType.methodType(void.class, String.class))
                    .invoke("HUP");
            Runnable start = () -> Thread.ofVirtual().name("hang-up").start(action);
            MethodHandle run = lookup.findVirtual(Runnable.class, "run", MethodType.methodType(void.class))
                    .bindTo(start);
            Object started =
                    MethodHandleProxies.asInterfaceInstance(handler, MethodHandles.dropArguments(run, 0, signal));
            Object before = lookup.findStatic(signal, "handle", MethodType.methodType(handler, signal, handler))
                    .invoke(hangUp, started);
            if (before.equals(
                    lookup.findStaticGetter(handler, "SIG_IGN", handler).invoke())) {
                log.info("SIGHUP is ignored: after a change use longshore plugins reload");
            }
        } catch (Throwable e) { // what a method handle throws
            if (e instanceof Error error) {
                throw error;
            }
            log.atWarn().setCause(e).log("SIGHUP cannot be handled: it ends the daemon");
        }
    }
}
