internal import Glibc
internal import MillraceTestCounters

/// Whether code calls the kernel.
package enum SystemCalls {
    /// Runs `work` in a forked child to which the kernel grants no call but the end.
    ///
    /// - Returns: whether the child reached its end. What `work` writes stays in the child.
    package static func areNone(_ work: () -> Void) -> Bool {
        withoutActuallyEscaping(work) { work in
            var context = work
            // SAFETY: the context lives until the call returns, and has the type that the callback
            // takes it for.
            return unsafe withUnsafeMutablePointer(to: &context) { context in
                unsafe mt_runs_without_system_calls(
                    { unsafe $0?.assumingMemoryBound(to: (() -> Void).self).pointee() }, context)
            }
        }
    }

    /// One harmless call.
    package static func makeOne() { _ = getppid() }
}
