import MillraceSystem
import Testing

@testable import MillraceGroups

@Suite("Group records")
struct GroupRecordTests {
    static func state(seed: UInt64) -> GroupState {
        var random = SplitMix64(seed: seed)
        var state = GroupState()
        state.generation = UInt32.random(in: 0 ... .max, using: &random)
        state.nextKey = UInt32.random(in: 1 ... .max, using: &random)
        state.exists = Bool.random(using: &random)
        state.subscription = .init(
            assignor: Assignor.allCases.randomElement(using: &random) ?? .hash,
            isExclusive: Bool.random(using: &random), topics: ["a", "ä b"], outputs: ["o"])
        for key in 1...UInt32(random.number(in: 1...4)) {
            state.members.append(
                .init(
                    key: key, number: random.number(in: 0...255), id: MemberID("m-\(key)"),
                    process: ProcessIdentity(
                        pid: Int32(random.number(in: 1...99_999)), startTime: random.next(),
                        namespace: random.next()),
                    core: random.number(in: -1...300), isStatic: Bool.random(using: &random),
                    graceNanoseconds: Int64.random(in: 0 ... .max, using: &random),
                    hangNanoseconds: Int64.random(in: 0 ... .max, using: &random),
                    awayUntil: Int64.random(in: 0 ... .max, using: &random)))
        }
        for partition in 0..<random.number(in: 0...5) {
            state.partitions.append(
                .init(
                    partition: TopicPartition(topic: "a", partition: partition),
                    topicID: random.next(), isRead: Bool.random(using: &random),
                    owner: UInt32(random.number(in: 0...4)),
                    target: UInt32(random.number(in: 0...4)),
                    generation: UInt32.random(in: 0 ... .max, using: &random),
                    committed: Bool.random(using: &random) ? random.next() >> 9 : nil,
                    isContested: Bool.random(using: &random),
                    validFrom: UInt32.random(in: 0 ... .max, using: &random)))
        }
        return state
    }

    @Test("A state comes back as it was", arguments: Seeds.all)
    func roundTrip(seed: UInt64) throws {
        let state = Self.state(seed: seed)
        #expect(try GroupRecord.decode(GroupRecord.encode(state)) == state)
    }

    @Test("Every flipped bit and every cut is seen")
    func damage() {
        let whole = GroupRecord.encode(Self.state(seed: 3))
        for bit in 0..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: GroupRecord.Damage.self, "bit \(bit)") {
                try GroupRecord.decode(bytes)
            }
        }
        for length in 0..<whole.count {
            #expect(throws: GroupRecord.Damage.self, "\(length) bytes") {
                try GroupRecord.decode(Array(whole[..<length]))
            }
        }
    }

    /// Any bytes with a right checksum are refused, or a state that can be gone on with.
    @Test("A forged record does no harm", arguments: Seeds.all)
    func forged(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let whole = GroupRecord.encode(Self.state(seed: seed))
        var taken = 0
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0...random.number(in: 0...2) {
                let place = random.number(in: 12...bytes.count - 1)
                switch random.number(in: 0...2) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[place] = 0xFF
                default:
                    for at in place..<min(place + 8, bytes.count) { bytes[at] = 0xFF }
                }
            }
            let checksum = CRC32C.checksum(of: bytes.span.extracting(12...))
            for byte in 0..<4 {
                bytes[8 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte)))
            }
            guard var state = try? GroupRecord.decode(bytes) else { continue }
            taken += 1
            let keys = state.members.map(\.key)
            state.observe(dead: Array(keys.prefix(1)), hung: Array(keys.suffix(1)), now: .max)
            state.leave(keys, now: .max / 2)
            for key in keys { _ = state.owned(by: key) }
            if !state.partitions.isEmpty { state.release([(index: 0, generation: 1)], by: 1) }
            let candidate = GroupState.Candidate(
                number: 1, id: MemberID("new"),
                process: ProcessIdentity(pid: 1, startTime: 1, namespace: 1), core: 0,
                isStatic: true, graceNanoseconds: .max, hangNanoseconds: .max)
            let topics = [GroupState.TopicShape(name: "a", id: 7, partitions: 3)]
            if let joined = try? state.join([candidate], state.subscription, topics) {
                state.leave(joined, now: .max)
            }
            state.reset([(index: 0, next: 1)].filter { $0.index < state.partitions.count })
            state.restart(floor: .max)
            _ = GroupRecord.encode(state)
            state.delete()
        }
        #expect(taken > 20)
    }
}
