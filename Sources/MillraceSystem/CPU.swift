internal import CMillraceLinux
internal import Glibc

/// The processors of this machine, as the calling thread may use them.
package enum CPU {
    /// Numbers of the processors that the affinity mask allows, ascending.
    package static func allowed() -> [Int] {
        var mask = [UInt64](repeating: 0, count: 16)
        let count = mask.count
        let result = unsafe mask.withUnsafeMutableBufferPointer {
            unsafe ml_allowed_cpus($0.baseAddress, count)
        }
        guard result == 0 else { return [0] }
        return (0..<count * 64).filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
    }

    /// The processor that runs the calling thread at this moment.
    package static func current() -> Int { Int(ml_current_cpu()) }

    /// Binds the calling thread to one processor.
    package static func pin(to core: Int) throws(SystemError) {
        _ = try Syscalls.check(
            "sched_setaffinity", "processor \(core)", ml_pin_to_cpu(Int32(core)))
    }
}
