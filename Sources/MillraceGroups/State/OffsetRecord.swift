internal import MillraceSystem

/// What a group has committed at one moment, as one slot of its offsets file holds it.
///
/// **Layout** of a record, little-endian; positions and sizes in bytes:
///
/// | Position | Size | Field                                                               |
/// |---------:|-----:|---------------------------------------------------------------------|
/// |        0 |    8 | magic, `MLRGOFFS`                                                   |
/// |        8 |    4 | CRC-32C of the bytes from 12 to the end of the record               |
/// |       12 |    4 | length of the record                                                |
/// |       16 |    2 | format version, 1                                                   |
/// |       18 |    2 | zero                                                                |
/// |       20 |    4 | number of entries                                                   |
/// |       24 |    8 | sequence: one more than that of the commit before                   |
/// |       32 |    4 | generation of the group that committed                              |
/// |       36 |    4 | zero                                                                |
/// |       40 |    8 | time of the commit, nanoseconds since 1970 UTC                      |
/// |       48 |   16 | zero                                                                |
/// |       64 |      | entries, one after another                                          |
///
/// and of an entry:
///
/// | Position |        Size | Field                                                        |
/// |---------:|------------:|--------------------------------------------------------------|
/// |        0 |           8 | next offset: last consumed + 1; all ones when none committed |
/// |        8 |           8 | id of the topic, which tells it from others of its name      |
/// |       16 |           4 | partition                                                    |
/// |       20 |           2 | length n of the topic's name, 1 to 65,535                    |
/// |       22 |           2 | zero                                                         |
/// |       24 | n, up to 8k | the topic's name in UTF-8, then zeros to a multiple of 8     |
///
/// The first 16 bytes and the version keep their places in every version to come.
package struct OffsetRecord: Equatable {
    /// `MLRGOFFS` as it stands in the file.
    package static let magic: UInt64 = 0x5346_464f_4752_4c4d
    package static let version: UInt16 = 1
    package static let headerBytes = 64
    package static let entryHeaderBytes = 24
    package static let checksummedFrom = 12
    /// Stands for "nothing committed".
    package static let none = UInt64.max

    package struct Entry: Equatable {
        package var partition: TopicPartition
        package var topicID: UInt64
        package var next: UInt64

        package init(partition: TopicPartition, topicID: UInt64, next: UInt64) {
            self.partition = partition
            self.topicID = topicID
            self.next = next
        }
    }

    package var sequence: UInt64
    package var generation: UInt32
    package var committedAt: Int64
    package var entries: [Entry]

    package init(sequence: UInt64, generation: UInt32, committedAt: Int64, entries: [Entry]) {
        self.sequence = sequence
        self.generation = generation
        self.committedAt = committedAt
        self.entries = entries
    }

    /// Whether the fields of an entry are wide enough for `partition`.
    package static func canHold(_ partition: TopicPartition) -> Bool {
        (1...Int(UInt16.max)) ~= partition.topic.utf8.count
            && (0...Int(UInt32.max)) ~= partition.partition
    }

    /// The length of an entry of `topic`.
    package static func entryBytes(_ topic: String) -> Int {
        entryHeaderBytes + (topic.utf8.count + 7) / 8 * 8
    }

    /// The length of this record.
    package var byteCount: Int {
        entries.reduce(Self.headerBytes) { $0 + Self.entryBytes($1.partition.topic) }
    }

    /// The record's bytes, complete but for the checksum; and where each entry begins.
    package func unsealed() -> (bytes: [UInt8], positions: [Int]) {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        LittleEndian.store(Self.magic, into: &bytes, at: 0)
        LittleEndian.store(UInt32(bytes.count), into: &bytes, at: 12)
        LittleEndian.store(Self.version, into: &bytes, at: 16)
        LittleEndian.store(UInt32(entries.count), into: &bytes, at: 20)
        LittleEndian.store(sequence, into: &bytes, at: 24)
        LittleEndian.store(generation, into: &bytes, at: 32)
        LittleEndian.store(committedAt, into: &bytes, at: 40)
        var position = Self.headerBytes
        var positions: [Int] = []
        for entry in entries {
            let topic = Array(entry.partition.topic.utf8)
            LittleEndian.store(entry.next, into: &bytes, at: position)
            LittleEndian.store(entry.topicID, into: &bytes, at: position + 8)
            LittleEndian.store(UInt32(entry.partition.partition), into: &bytes, at: position + 16)
            LittleEndian.store(UInt16(topic.count), into: &bytes, at: position + 20)
            let name = position + Self.entryHeaderBytes
            bytes.replaceSubrange(name..<name + topic.count, with: topic)
            positions.append(position)
            position += Self.entryBytes(entry.partition.topic)
        }
        return (bytes, positions)
    }

    /// Completes a record in place: puts in its checksum.
    package static func seal(_ bytes: inout [UInt8]) {
        let checksum = CRC32C.checksum(of: bytes.span.extracting(checksummedFrom...))
        LittleEndian.store(checksum, into: &bytes, at: 8)
    }
}
