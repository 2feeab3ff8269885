internal import MillraceSystem

/// A group's state as bytes, in a file of its own.
///
/// **Layout**, little-endian; positions and sizes in bytes:
///
/// | Position | Size | Field                                                      |
/// |---------:|-----:|------------------------------------------------------------|
/// |        0 |    8 | magic, `MLRGSTAT`                                          |
/// |        8 |    4 | CRC-32C of the bytes from 12 to the end                    |
/// |       12 |    4 | length of the record                                       |
/// |       16 |    2 | format version, 2                                          |
/// |       18 |    1 | assignor: 0 range, 1 roundRobin, 2 sticky, 3 hash          |
/// |       19 |    1 | 1 the group exists, + 2 it is one process's alone          |
/// |       20 |    4 | generation                                                 |
/// |       24 |    4 | key of the next member                                     |
/// |       28 |    4 | number of topics that are read                             |
/// |       32 |    4 | number of output topics                                    |
/// |       36 |    4 | number of members                                          |
/// |       40 |    4 | number of partitions                                       |
/// |       44 |    4 | zero                                                       |
/// |       48 |      | topics, outputs: a name each                               |
/// |          |      | members: key 4, number 4, core 4 (all ones: none), static  |
/// |          |      | 1, pid 4, start time 8, namespace 8, grace 8, hang 8, away |
/// |          |      | until 8, name                                              |
/// |          |      | partitions: topic's id 8, partition 4, flags 1 (1 read,    |
/// |          |      | + 2 contested, + 4 superseded), owner 4, target 4,         |
/// |          |      | generation 4, valid from 4, committed + 1 8 (0: none),     |
/// |          |      | superseded generation 4 and offset + 1 8, topic's name     |
///
/// A name is its length in 2 bytes and its UTF-8 bytes.
package enum GroupRecord {
    /// `MLRGSTAT` as it stands in the file.
    static let magic: UInt64 = 0x5441_5453_4752_4c4d
    static let version: UInt16 = 2
    static let headerBytes = 48
    /// More than the largest state takes; keeps a damaged directory from exhausting memory.
    static let maxBytes = 4 << 20

    /// What is wrong with bytes, and where.
    package struct Damage: Error, Equatable {
        package var byte: Int
        package var expected: String
        package var found: String
    }

    static let assignors: [Assignor] = [.range, .roundRobin, .sticky, .hash]

    /// The record of a state.
    package static func encode(_ state: GroupState) -> [UInt8] {
        var writer = Writer()
        writer.put(magic)
        writer.put(UInt64(0))
        writer.put(version)
        writer.put(UInt8(assignors.firstIndex(of: state.subscription.assignor) ?? 0))
        writer.put(UInt8((state.exists ? 1 : 0) + (state.subscription.isExclusive ? 2 : 0)))
        writer.put(state.generation)
        writer.put(state.nextKey)
        writer.put(UInt32(state.subscription.topics.count))
        writer.put(UInt32(state.subscription.outputs.count))
        writer.put(UInt32(state.members.count))
        writer.put(UInt32(state.partitions.count))
        writer.put(UInt32(0))
        for name in state.subscription.topics + state.subscription.outputs { writer.put(name) }
        for member in state.members {
            writer.put(member.key)
            writer.put(UInt32(member.number))
            writer.put(UInt32(truncatingIfNeeded: member.core))
            writer.put(UInt8(member.isStatic ? 1 : 0))
            writer.put(member.process.pid)
            writer.put(member.process.startTime)
            writer.put(member.process.namespace)
            writer.put(member.graceNanoseconds)
            writer.put(member.hangNanoseconds)
            writer.put(member.awayUntil)
            writer.put(member.id.name)
        }
        for partition in state.partitions {
            writer.put(partition.topicID)
            writer.put(UInt32(partition.partition.partition))
            writer.put(flags(of: partition))
            writer.put(partition.owner)
            writer.put(partition.target)
            writer.put(partition.generation)
            writer.put(partition.validFrom)
            writer.put(partition.committed.map { $0 + 1 } ?? 0)
            writer.put(partition.superseded?.generation ?? 0)
            writer.put(partition.superseded?.next.map { $0 + 1 } ?? 0)
            writer.put(partition.partition.topic)
        }
        var bytes = writer.bytes
        LittleEndian.store(UInt32(bytes.count), into: &bytes, at: 12)
        LittleEndian.store(CRC32C.checksum(of: bytes.span.extracting(12...)), into: &bytes, at: 8)
        return bytes
    }

    private static func flags(of partition: GroupState.Partition) -> UInt8 {
        (partition.isRead ? 1 : 0) + (partition.isContested ? 2 : 0)
            + (partition.superseded == nil ? 0 : 4)
    }

    private struct Writer {
        var bytes: [UInt8] = []

        mutating func put(_ number: some FixedWidthInteger) {
            for index in 0..<number.bitWidth / 8 {
                bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index)))
            }
        }

        mutating func put(_ name: String) {
            let text = Array(name.utf8)
            precondition(text.count <= Int(UInt16.max), "a name is at most 65,535 bytes long")
            put(UInt16(text.count))
            bytes += text
        }
    }
}
