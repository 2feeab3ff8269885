internal import MillraceSystem

extension GroupRecord {
    /// The state that a record tells.
    ///
    /// - Throws: `Damage`: bytes that `encode` never wrote, which a checksum tells of all but a
    ///   forger's.
    package static func decode(_ bytes: [UInt8]) throws(Damage) -> GroupState {
        guard bytes.count >= headerBytes else {
            throw Damage(
                byte: bytes.count, expected: "at least \(headerBytes) bytes",
                found: "\(bytes.count)")
        }
        var reader = Reader(bytes: bytes)
        try reader.expect(magic, "magic \(magic)")
        let checksum: UInt32 = try reader.number()
        let computed = CRC32C.checksum(of: bytes.span.extracting(12...))
        guard checksum == computed else {
            throw Damage(byte: 8, expected: "checksum \(computed)", found: "\(checksum)")
        }
        try reader.expect(UInt32(bytes.count), "a length of \(bytes.count)")
        try reader.expect(version, "format version \(version)")
        var state = GroupState()
        let assignor: UInt8 = try reader.number(below: UInt8(assignors.count))
        let flags: UInt8 = try reader.number(below: 4)
        state.exists = flags & 1 != 0
        state.generation = try reader.number()
        state.nextKey = try reader.number()
        let topics: UInt32 = try reader.number(below: UInt32(GroupState.maxPartitions) + 1)
        let outputs: UInt32 = try reader.number(below: UInt32(GroupState.maxPartitions) + 1)
        let members: UInt32 = try reader.number(below: UInt32(GroupState.maxMembers) + 1)
        let partitions: UInt32 = try reader.number(below: UInt32(GroupState.maxPartitions) + 1)
        try reader.expect(UInt32(0), "zero")
        state.subscription = .init(
            assignor: assignors[Int(assignor)], isExclusive: flags & 2 != 0,
            topics: try reader.names(topics), outputs: try reader.names(outputs))
        for _ in 0..<members { state.members.append(try member(&reader)) }
        for _ in 0..<partitions { state.partitions.append(try partition(&reader)) }
        guard Set(state.members.map(\.id)).count == state.members.count,
            Set(state.members.map(\.key)).count == state.members.count
        else {
            throw Damage(
                byte: reader.position, expected: "members of different names and keys",
                found: "two alike")
        }
        guard reader.position == bytes.count else {
            throw Damage(
                byte: reader.position, expected: "the end of the record",
                found: "\(bytes.count - reader.position) more bytes")
        }
        return state
    }

    private static func member(_ reader: inout Reader) throws(Damage) -> GroupState.Member {
        let key: UInt32 = try reader.number()
        let number: UInt32 = try reader.number(below: UInt32(GroupState.maxMembers))
        let core: UInt32 = try reader.number()
        let isStatic: UInt8 = try reader.number(below: 2)
        let process = ProcessIdentity(
            pid: try reader.number(), startTime: try reader.number(),
            namespace: try reader.number())
        let grace: Int64 = try reader.number()
        let hang: Int64 = try reader.number()
        let away: Int64 = try reader.number()
        return GroupState.Member(
            key: key, number: Int(number), id: MemberID(try reader.name()), process: process,
            core: Int(Int32(bitPattern: core)), isStatic: isStatic == 1, graceNanoseconds: grace,
            hangNanoseconds: hang, awayUntil: away)
    }

    private static func partition(_ reader: inout Reader) throws(Damage) -> GroupState.Partition {
        let topicID: UInt64 = try reader.number()
        let partition: UInt32 = try reader.number()
        let flags: UInt8 = try reader.number(below: 8)
        let owner: UInt32 = try reader.number()
        let target: UInt32 = try reader.number()
        let generation: UInt32 = try reader.number()
        let validFrom: UInt32 = try reader.number()
        let committed: UInt64 = try reader.number()
        let tenure = GroupState.Tenure(
            generation: try reader.number(), next: offset(try reader.number()))
        let topic = try reader.name()
        return GroupState.Partition(
            partition: TopicPartition(topic: topic, partition: Int(partition)), topicID: topicID,
            isRead: flags & 1 != 0, owner: owner, target: target, generation: generation,
            committed: offset(committed), isContested: flags & 2 != 0, validFrom: validFrom,
            superseded: flags & 4 != 0 ? tenure : nil)
    }

    /// What is written as an offset + 1, and 0 for none.
    private static func offset(_ number: UInt64) -> UInt64? { number == 0 ? nil : number - 1 }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func number<Number: FixedWidthInteger>() throws(Damage) -> Number {
            let count = Number.bitWidth / 8
            guard bytes.count - position >= count else {
                throw Damage(
                    byte: position, expected: "\(count) more bytes",
                    found: "\(bytes.count - position)")
            }
            defer { position += count }
            return LittleEndian.load(bytes.span, at: position)
        }

        mutating func number<Number: FixedWidthInteger>(
            below limit: Number
        ) throws(Damage) -> Number {
            let start = position
            let number: Number = try number()
            guard number < limit else {
                throw Damage(
                    byte: start, expected: "a number below \(limit)", found: "\(number)")
            }
            return number
        }

        mutating func expect<Number: FixedWidthInteger>(
            _ expected: Number, _ words: String
        ) throws(Damage) {
            let start = position
            let found: Number = try number()
            guard found == expected else {
                throw Damage(byte: start, expected: words, found: "\(found)")
            }
        }

        mutating func name() throws(Damage) -> String {
            let count = Int(try number() as UInt16)
            guard bytes.count - position >= count else {
                throw Damage(
                    byte: position, expected: "a name of \(count) bytes",
                    found: "\(bytes.count - position) bytes")
            }
            defer { position += count }
            return String(decoding: bytes[position..<position + count], as: UTF8.self)
        }

        mutating func names(_ count: UInt32) throws(Damage) -> [String] {
            var names: [String] = []
            for _ in 0..<count { names.append(try name()) }
            return names
        }
    }
}
