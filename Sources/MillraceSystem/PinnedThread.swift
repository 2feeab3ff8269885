internal import CMillraceLinux
internal import Glibc

/// A thread of its own, bound to one processor core when one is given.
package final class PinnedThread: Sendable {
    /// The core the thread is bound to; nil when it may run anywhere.
    package let core: Int?
    private let handle: Lock<pthread_t?>

    private final class Start: Sendable {
        let name: String
        let core: Int?
        let body: @Sendable () -> Void

        init(name: String, core: Int?, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.core = core
            self.body = body
        }
    }

    /// Starts `body` on a new thread.
    ///
    /// `name` is what process viewers show (15 bytes of it).
    ///
    /// - Throws: `SystemError` when the core does not exist or is not allowed, or when no thread
    ///   can be made.
    package init(
        name: String, core: Int?, body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        if let core, !CPU.allowed().contains(core) {
            throw SystemError(
                operation: "pthread_setaffinity", path: "processor \(core)", errno: EINVAL)
        }
        let start = unsafe Unmanaged.passRetained(Start(name: name, core: core, body: body))
        var thread = pthread_t()
        // SAFETY: the new thread takes over the retained reference.
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                unsafe ml_name_thread(start.name)
                // The core was checked before the thread was made; a mask that shrank since then
                // leaves the thread unpinned, which is slower and not wrong.
                if let core = start.core { do { try CPU.pin(to: core) } catch {} }
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            unsafe start.release()
            throw SystemError(operation: "pthread_create", path: "", errno: code)
        }
        self.core = core
        self.handle = Lock(thread)
    }

    deinit {
        // Nobody will wait for it: what it holds goes with its end.
        if let thread = handle.withLock({ $0 }) { pthread_detach(thread) }
    }

    /// Waits until the thread has ended.
    ///
    /// Later calls return at once.
    package func join() {
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Puts the calling thread to sleep.
    package static func sleep(nanoseconds: Int64) {
        var time = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        unsafe nanosleep(&time, nil)
    }

    /// Lets another thread have the processor.
    package static func yield() { sched_yield() }
}
