/// The cores on which a group runs, one slot on each, in the order of the slots.
public struct CoreList: Sendable, Equatable {
    /// The cores' numbers as the kernel counts them; at least one, none twice.
    public let cores: [Int]

    /// The cores that `text` lists: numbers and ranges with commas between, as in `0,2,4-7`.
    ///
    /// - Parameters:
    ///   - text: What the user wrote.
    ///   - topology: The machine; cores that it lacks or that the process may not use are refused.
    /// - Throws: `GroupError` with `invalidCoreList`, `noSuchCore` or `coreNotAllowed`.
    public init(
        parsing text: String, on topology: CoreTopology = .current()
    ) throws(GroupError) {
        try self.init(Self.parse(text), on: topology)
    }

    /// The cores given, in their order.
    ///
    /// - Parameters:
    ///   - cores: At least one, none twice.
    ///   - topology: The machine; cores that it lacks or that the process may not use are refused.
    /// - Throws: `GroupError` with `invalidCoreList`, `noSuchCore` or `coreNotAllowed`.
    public init(_ cores: [Int], on topology: CoreTopology = .current()) throws(GroupError) {
        guard !cores.isEmpty, Set(cores).count == cores.count else {
            throw .invalidCoreList(
                cores.map(String.init).joined(separator: ","), at: 0,
                cores.isEmpty ? "a core number is missing" : "a core is listed twice")
        }
        for core in cores {
            guard topology.existing.contains(core) else {
                throw .noSuchCore(core, existing: topology.existing)
            }
            guard topology.allowed.contains(core) else {
                throw .coreNotAllowed(core, allowed: topology.allowed)
            }
        }
        self.cores = cores
    }

    /// One slot for each physical core that the process may use, no more than its share of
    /// processor time fills.
    ///
    /// A second thread on a physical core adds little to code that keeps the vector units busy. A
    /// share that is not whole is rounded down, for a group that uses more than its share is stopped
    /// as a whole until the next period; at least one slot remains.
    ///
    /// - Parameters:
    ///   - topology: The machine.
    ///   - taken: Cores that others use: these and their siblings are left out, unless that leaves
    ///     none.
    public init(automaticOn topology: CoreTopology = .current(), avoiding taken: [Int] = []) {
        var used = Set(taken).union(taken.flatMap { topology.siblings[$0] ?? [] })
        let free = topology.allowed.filter { !used.contains($0) }.sorted()
        used = []
        var cores: [Int] = []
        for core in free.isEmpty ? topology.allowed.sorted() : free where !used.contains(core) {
            cores.append(core)
            used.formUnion(topology.siblings[core] ?? [core])
        }
        if cores.isEmpty { cores = [0] }
        if let share = topology.processorShare, share < Double(cores.count) {
            cores.removeSubrange(max(1, Int(max(0, share)))...)
        }
        self.cores = cores
    }

    /// The numbers in a list, in the list's order.
    ///
    /// - Throws: `GroupError.invalidCoreList` for anything but numbers below `CoreTopology.limit` and
    ///   ascending ranges with commas between, none twice.
    package static func parse(_ text: String) throws(GroupError) -> [Int] {
        var scanner = Scanner(text: text, bytes: Array(text.utf8))
        var cores: [Int] = []
        repeat {
            let start = scanner.position
            let first = try scanner.number()
            var last = first
            if scanner.take("-") {
                last = try scanner.number()
                if last < first {
                    throw .invalidCoreList(text, at: start, "the range \(first)-\(last) is empty")
                }
            }
            for core in first...last {
                if cores.contains(core) {
                    throw .invalidCoreList(text, at: start, "core \(core) is listed twice")
                }
                cores.append(core)
            }
        } while scanner.take(",")
        try scanner.expectEnd()
        return cores
    }

    /// Numbers as text, runs of them as ranges.
    package static func text(_ cores: [Int]) -> String {
        var parts: [String] = []
        var rest = cores[...]
        while let first = rest.popFirst() {
            var last = first
            while let next = rest.first, next == last + 1 {
                last = next
                rest.removeFirst()
            }
            let separator = last == first + 1 ? "," : "-"
            parts.append(last == first ? "\(first)" : "\(first)\(separator)\(last)")
        }
        return parts.joined(separator: ",")
    }
}

extension CoreList: CustomStringConvertible {
    /// The list as `init(parsing:on:)` reads it.
    public var description: String { Self.text(cores) }
}

/// A cursor in the text of a core list.
private struct Scanner {
    let text: String
    let bytes: [UInt8]
    var position = 0

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
            return false
        }
        position += 1
        return true
    }

    mutating func number() throws(GroupError) -> Int {
        skipSpaces()
        let start = position
        var value = 0
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= bytes[position] {
            value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            guard value < CoreTopology.limit else {
                throw .invalidCoreList(
                    text, at: start, "a core number is below \(CoreTopology.limit)")
            }
            position += 1
        }
        guard position > start else {
            throw .invalidCoreList(text, at: start, "a core number is missing")
        }
        return value
    }

    mutating func expectEnd() throws(GroupError) {
        skipSpaces()
        guard position == bytes.count else {
            throw .invalidCoreList(text, at: position, "unexpected character")
        }
    }

    private mutating func skipSpaces() {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
    }
}
