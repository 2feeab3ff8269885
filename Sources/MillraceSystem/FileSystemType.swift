internal import Glibc

/// The kind of file system that a path lies on, as the kernel calls it: `ext4`, `nfs4`, `tmpfs`.
package enum FileSystemType {
    /// More than any mount table of use; what lies behind is not found.
    private static let maxBytes = 1 << 20

    /// The kind for a path, which need not exist; nil where the kernel does not tell.
    package static func name(of path: String) -> String? {
        var path = path
        var status = stat()
        while unsafe stat(path, &status) != 0 {
            let parent = Files.parent(of: path)
            guard parent != path else { return nil }
            path = parent
        }
        let device = UInt64(status.st_dev)
        let major = device >> 8 & 0xFFF | device >> 32 & ~0xFFF
        let minor = device & 0xFF | device >> 12 & ~0xFF
        return name(of: "\(major):\(minor)", in: mountTable())
    }

    /// The kind of the device `major:minor`; nil where the table does not name it.
    ///
    /// - Source: `proc_pid_mountinfo(5)`: the device is field 3, the kind follows a lone hyphen.
    package static func name(of device: String, in table: String) -> String? {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2, fields[2] == device,
                let hyphen = fields.firstIndex(of: "-"), hyphen + 1 < fields.count
            else { continue }
            return String(fields[hyphen + 1])
        }
        return nil
    }

    private static func mountTable() -> String {
        do throws(SystemError) {
            let file = try FileHandle("/proc/self/mountinfo", .read)
            var bytes = [UInt8](repeating: 0, count: maxBytes)
            let count = try file.read(into: &bytes, at: 0)
            return String(decoding: bytes[..<count], as: UTF8.self)
        } catch {
            return ""
        }
    }
}
