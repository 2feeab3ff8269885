internal import MillraceSystem

/// The file that holds a group's generation, which only grows, also when the group is deleted and
/// made again: what an old generation wrote elsewhere must never pass for new.
///
/// **Layout**, little-endian, 24 bytes: 0 magic `MLRGGENR`; 8 CRC-32C of the bytes from 12;
/// 12 format version, 1, in 4 bytes; 16 generation, in 4 bytes; 20 zero.
package struct GenerationFile {
    /// `MLRGGENR` as it stands in the file.
    static let magic: UInt64 = 0x524e_4547_4752_4c4d
    static let version: UInt32 = 1
    package static let byteCount = 24

    let path: String
    let group: String

    /// The generation on disk; zero where there is no file.
    ///
    /// - Throws: `GroupError` with `corrupt`, `unsupportedVersion` or `system`.
    func read() throws(GroupError) -> UInt32 {
        let bytes: [UInt8]
        do { bytes = try Files.read(path, maxBytes: 4096) } catch {
            if error.isNotFound { return 0 }
            throw .system(error, group: group)
        }
        guard bytes.count == Self.byteCount else {
            throw corrupt(bytes.count, "\(Self.byteCount) bytes", "\(bytes.count)")
        }
        let magic = LittleEndian.load(bytes.span, at: 0, as: UInt64.self)
        guard magic == Self.magic else { throw corrupt(0, "magic \(Self.magic)", "\(magic)") }
        let stored = LittleEndian.load(bytes.span, at: 8, as: UInt32.self)
        let computed = CRC32C.checksum(of: bytes.span.extracting(12...))
        guard stored == computed else {
            throw corrupt(8, "checksum \(computed)", "\(stored)")
        }
        let version = LittleEndian.load(bytes.span, at: 12, as: UInt32.self)
        guard version == Self.version else {
            throw .unsupportedVersion(
                group, path: path, byte: 12, expected: Int(Self.version), found: Int(version))
        }
        let generation = LittleEndian.load(bytes.span, at: 16, as: UInt32.self)
        guard generation < .max else {
            throw corrupt(16, "a generation that has a next", "\(generation)")
        }
        return generation
    }

    /// Makes `generation` durable.
    func write(_ generation: UInt32) throws(GroupError) {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        LittleEndian.store(Self.magic, into: &bytes, at: 0)
        LittleEndian.store(Self.version, into: &bytes, at: 12)
        LittleEndian.store(generation, into: &bytes, at: 16)
        LittleEndian.store(CRC32C.checksum(of: bytes.span.extracting(12...)), into: &bytes, at: 8)
        do { try Files.writeDurably(path, bytes) } catch { throw .system(error, group: group) }
    }

    private func corrupt(_ byte: Int, _ expected: String, _ found: String) -> GroupError {
        .corrupt(group, path: path, byte: byte, expected: expected, found: found)
    }
}
