/// Identity of the machine's current boot: what was not synced may be gone when it differs.
package enum BootID {
    /// A 56-bit digest (FNV-1a) of the kernel's boot id, never 0, for what is stored at `path`.
    ///
    /// The same for all paths, except where an observer pretends that the machine was restarted.
    ///
    /// - Throws: `SystemError` where the kernel does not tell, as in containers that hide `/proc`.
    package static func current(for path: String) throws(SystemError) -> UInt64 {
        if DiskObservation.isActive, let boot = DiskObservation.bootID(for: path) {
            return masked(boot)
        }
        let file = try FileHandle("/proc/sys/kernel/random/boot_id", .read)
        var bytes = [UInt8](repeating: 0, count: 36)
        let count = try file.read(into: &bytes, at: 0)
        return masked(
            bytes[..<count].reduce(0xcbf2_9ce4_8422_2325) {
                ($0 ^ UInt64($1)) &* 0x100_0000_01b3
            })
    }

    /// Zero is left to mean "no boot".
    private static func masked(_ digest: UInt64) -> UInt64 { max(digest & ((1 << 56) - 1), 1) }
}
