/// Identity of the machine's current boot: what was not synced may be gone when it differs.
package enum BootID {
    /// A 64-bit digest (FNV-1a) of the kernel's boot id.
    ///
    /// - Throws: `SystemError` where the kernel does not tell, as in containers that hide `/proc`.
    package static func current() throws(SystemError) -> UInt64 {
        let file = try FileHandle("/proc/sys/kernel/random/boot_id", .read)
        var bytes = [UInt8](repeating: 0, count: 36)
        let count = try file.read(into: &bytes, at: 0)
        return bytes[..<count].reduce(0xcbf2_9ce4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
    }
}
