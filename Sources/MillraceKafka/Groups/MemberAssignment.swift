/// What a member of a group was given, as Kafka's consumers write it: version (i16), for each topic
/// its name (i16 length, UTF-8) and partitions (i32 each), then data that is the assignor's own.
///
/// Source: Kafka's `ConsumerProtocolAssignment.json`.
struct MemberAssignment: Equatable {
    /// The partitions; of bytes that end too early those before that.
    private(set) var places: [Place] = []

    struct Place: Hashable {
        let topic: String
        let partition: Int
    }

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        func number(_ count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            let bits = rest.prefix(count).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            rest = rest.dropFirst(count)
            return count == 2 ? Int(Int16(truncatingIfNeeded: bits)) : Int(Int32(bitPattern: bits))
        }
        guard number(2) != nil, let topics = number(4), topics > 0 else { return }
        for _ in 0..<topics {
            guard let length = number(2), length >= 0, rest.count >= length else { return }
            let topic = String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length)
            guard let partitions = number(4), partitions >= 0 else { return }
            for _ in 0..<partitions {
                guard let partition = number(4) else { return }
                places.append(Place(topic: topic, partition: partition))
            }
        }
    }
}
