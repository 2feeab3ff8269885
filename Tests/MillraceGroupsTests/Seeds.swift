import MillraceSystem

/// Seeds for property tests: some that are always the same and one that is new in each run. A failure
/// names the seed, since it is the test's argument.
enum Seeds {
    static let all: [UInt64] = Array(1...12) + [UInt64.random(in: 0...UInt64.max)]
}

extension SplitMix64 {
    /// A number in `range`.
    mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
