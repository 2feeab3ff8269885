internal import MillraceSystem

/// The small text files in which the kernel tells about itself.
enum KernelText {
    private static let maxBytes = 64 << 10

    /// The content of a file below `/proc` or `/sys`, whose size the kernel does not tell beforehand;
    /// nil where it cannot be read.
    static func read(_ path: String) -> String? {
        do throws(SystemError) {
            let file = try FileHandle(path, .read)
            var bytes = [UInt8](repeating: 0, count: maxBytes)
            let count = try file.read(into: &bytes, at: 0)
            return String(decoding: bytes[..<count], as: UTF8.self)
        } catch {
            return nil
        }
    }
}
