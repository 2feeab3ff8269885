internal import MillraceSystem

/// The part that the headers of control pages and segments have in common.
///
/// A CRC-32C at byte 12 covers bytes 16 up to the header's end; the topic's id stands at 16.
enum HeaderIdentity {
    /// The topic that an intact header of `headerBytes` names; nil when it is not intact.
    static func topicID(_ path: String, headerBytes: Int) -> UInt64? {
        var bytes = [UInt8](repeating: 0, count: headerBytes)
        // A file that cannot be read names no topic; whoever needs it says why.
        do throws(SystemError) {
            let file = try FileHandle(path, .read)
            guard try file.read(into: &bytes, at: 0) == headerBytes else { return nil }
        } catch {
            return nil
        }
        let raw = unsafe bytes.span.bytes  // SAFETY: an array of bytes is initialised.
        guard raw.load(12) == CRC32C.checksum(raw.extracting(16..<headerBytes)) else { return nil }
        return raw.load(16)
    }
}
