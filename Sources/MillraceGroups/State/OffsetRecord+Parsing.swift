internal import MillraceSystem

extension OffsetRecord {
    /// What was found where a record should be.
    package enum Slot: Equatable {
        case record(OffsetRecord)
        /// Nothing was ever written here.
        case unwritten
        /// A record of a later version, whole.
        case laterVersion(Int)
        /// Not a whole record: torn by a crash, or damaged.
        case damaged(Damage)
    }

    /// The first thing found wrong; `byte` counts from the beginning of the slot.
    package struct Damage: Error, Equatable {
        package var byte: Int
        package var expected: String
        package var found: String
    }

    /// Reads the record at the beginning of `slot`; no bytes make it trap.
    package static func parse(_ slot: Span<UInt8>) -> Slot {
        do throws(Damage) {
            guard try hasHeader(slot) else { return .unwritten }
            let record = try checkedBytes(slot)
            let version = LittleEndian.load(record, at: 16, as: UInt16.self)
            if version > Self.version { return .laterVersion(Int(version)) }
            guard version == Self.version else {
                throw Damage(byte: 16, expected: "version \(Self.version)", found: "\(version)")
            }
            return .record(
                OffsetRecord(
                    sequence: try increasable(record, at: 24),
                    generation: try increasable(record, at: 32),
                    committedAt: LittleEndian.load(record, at: 40),
                    entries: try entries(record)))
        } catch {
            return .damaged(error)
        }
    }

    /// Whether there is a header; false when there are only zeros.
    private static func hasHeader(_ slot: Span<UInt8>) throws(Damage) -> Bool {
        guard slot.count >= headerBytes else {
            throw Damage(byte: 0, expected: "\(headerBytes) bytes", found: "\(slot.count)")
        }
        if slot.extracting(..<headerBytes).indices.allSatisfy({ slot[$0] == 0 }) { return false }
        let magic = LittleEndian.load(slot, at: 0, as: UInt64.self)
        guard magic == Self.magic else {
            throw Damage(
                byte: 0, expected: "magic \(hexadecimal(Self.magic))", found: hexadecimal(magic))
        }
        return true
    }

    /// The bytes of the record alone, once their checksum has proved right.
    @_lifetime(copy slot)
    private static func checkedBytes(_ slot: Span<UInt8>) throws(Damage) -> Span<UInt8> {
        let length = Int(LittleEndian.load(slot, at: 12, as: UInt32.self))
        guard (headerBytes...slot.count) ~= length else {
            throw Damage(
                byte: 12, expected: "a length from \(headerBytes) to \(slot.count)",
                found: "\(length)")
        }
        let record = slot.extracting(..<length)
        let stored = LittleEndian.load(slot, at: 8, as: UInt32.self)
        let computed = CRC32C.checksum(of: record.extracting(checksummedFrom...))
        guard stored == computed else {
            throw Damage(
                byte: 8, expected: "checksum \(hexadecimal(computed))", found: hexadecimal(stored))
        }
        return record
    }

    /// A number that the next record can exceed.
    private static func increasable<Number: FixedWidthInteger>(
        _ record: Span<UInt8>, at position: Int
    ) throws(Damage) -> Number {
        let number = LittleEndian.load(record, at: position, as: Number.self)
        guard number < .max else {
            throw Damage(byte: position, expected: "less than \(number)", found: "\(number)")
        }
        return number
    }

    private static func entries(_ record: Span<UInt8>) throws(Damage) -> [Entry] {
        let count = Int(LittleEndian.load(record, at: 20, as: UInt32.self))
        var entries: [Entry] = []
        var seen: Set<TopicPartition> = []
        var position = headerBytes
        for _ in 0..<count {
            let entry = try entry(record, at: position)
            guard seen.insert(entry.partition).inserted else {
                throw Damage(
                    byte: position, expected: "each partition once",
                    found: "\(entry.partition) again")
            }
            entries.append(entry)
            position += entryBytes(entry.partition.topic)
        }
        guard position == record.count else {
            throw Damage(
                byte: 20, expected: "entries up to byte \(record.count)",
                found: "\(count) entries that end at byte \(position)")
        }
        return entries
    }

    private static func entry(
        _ record: Span<UInt8>, at position: Int
    ) throws(Damage) -> Entry {
        let rest = record.count - position
        guard rest >= entryHeaderBytes else {
            throw Damage(byte: position, expected: "an entry", found: "\(rest) bytes")
        }
        let length = Int(LittleEndian.load(record, at: position + 20, as: UInt16.self))
        guard length > 0, (length + 7) / 8 * 8 <= rest - entryHeaderBytes else {
            throw Damage(
                byte: position + 20,
                expected: "a name of 1 to \(rest - entryHeaderBytes) bytes", found: "\(length)")
        }
        let name = position + entryHeaderBytes
        let text = (name..<name + length).map { record[$0] }
        guard let topic = String(validating: text, as: UTF8.self) else {
            throw Damage(byte: name, expected: "a name in UTF-8", found: "other bytes")
        }
        let partition = LittleEndian.load(record, at: position + 16, as: UInt32.self)
        return Entry(
            partition: TopicPartition(topic: topic, partition: Int(partition)),
            topicID: LittleEndian.load(record, at: position + 8),
            next: LittleEndian.load(record, at: position))
    }

    private static func hexadecimal(_ number: some FixedWidthInteger & UnsignedInteger) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
    }
}
