internal import MillraceSystem

/// The offsets file of a group: three slots of equal size, each with room for one `OffsetRecord`.
///
/// **Layout**: slot i begins at byte `i * size / 3`, a multiple of 4,096, so no two slots share a page
/// or a sector.
///
/// A commit goes to a slot that holds neither the newest record, which a kill in the middle of the
/// write must leave alone, nor the newest record known to be on the disk, which a loss of power must
/// leave alone: of two slots one would always be one of these as soon as some commits are not synced.
package struct OffsetFile {
    package static let slotCount = 3
    static let slotAlignment = 4096
    /// Far more than any group needs; keeps a damaged directory from exhausting memory.
    static let maxBytes = 256 << 20

    /// What reading the file gave.
    package struct Contents: Equatable {
        package var newest: OffsetRecord
        /// How many slots held something that is not a whole record.
        package var damagedSlots: Int
    }

    /// A size for slots that hold records of `recordBytes` bytes, with room to grow.
    static func slotBytes(forRecord recordBytes: Int) -> Int {
        (2 * recordBytes + slotAlignment - 1) / slotAlignment * slotAlignment
    }

    /// A whole file that holds one sealed record, in its first slot.
    package static func bytes(record: [UInt8], slotBytes: Int) -> [UInt8] {
        precondition(record.count <= slotBytes, "a record fits its slot")
        return record + [UInt8](repeating: 0, count: slotCount * slotBytes - record.count)
    }

    /// The newest whole record of the file at `path`.
    ///
    /// - Throws: `GroupError` with `corrupt` when no slot holds one, `unsupportedVersion`, `system`.
    static func read(_ path: String, group: String) throws(GroupError) -> Contents {
        let bytes: [UInt8]
        do { bytes = try Files.read(path, maxBytes: maxBytes) } catch {
            throw .system(error, group: group)
        }
        return try parse(bytes, path: path, group: group)
    }

    package static func parse(
        _ bytes: [UInt8], path: String, group: String
    ) throws(GroupError) -> Contents {
        let slotBytes = bytes.count / slotCount
        guard slotBytes > 0, bytes.count % (slotCount * slotAlignment) == 0 else {
            throw .corrupt(
                group, path: path, byte: bytes.count,
                expected: "a size that is a multiple of \(slotCount * slotAlignment) bytes",
                found: "\(bytes.count) bytes")
        }
        var newest: OffsetRecord?
        var firstDamage: OffsetRecord.Damage?
        var damagedSlots = 0
        for slot in 0..<slotCount {
            let begin = slot * slotBytes
            switch OffsetRecord.parse(bytes.span.extracting(begin..<begin + slotBytes)) {
            case .record(let record):
                if record.sequence >= newest?.sequence ?? 0 { newest = record }
            case .unwritten: break
            case .laterVersion(let version):
                throw .unsupportedVersion(
                    group, path: path, byte: begin + 16, expected: Int(OffsetRecord.version),
                    found: version)
            case .damaged(var damage):
                damage.byte += begin
                firstDamage = firstDamage ?? damage
                damagedSlots += 1
            }
        }
        guard let newest else {
            let damage =
                firstDamage
                ?? .init(byte: 0, expected: "a record", found: "\(slotCount) empty slots")
            throw .corrupt(
                group, path: path, byte: damage.byte, expected: damage.expected,
                found: damage.found)
        }
        return Contents(newest: newest, damagedSlots: damagedSlots)
    }
}
