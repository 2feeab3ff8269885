internal import MillraceSystem

/// How the disk decides, at the loss of power, which of several versions it holds.
///
/// Any version can be chosen under the biases that are not certain. They differ because fair coins
/// alone would almost never lose just one sector of many, or keep just one.
struct CrashChoice {
    private var random: SplitMix64
    private let newest: Double
    private let oldest: Double

    private static let biases: [(newest: Double, oldest: Double)] = [
        (1, 0), (0, 1), (0.97, 0), (0, 0.97), (0.9, 0.05), (0.5, 0.5), (0.5, 0.25), (0, 0),
    ]

    /// Choices that follow from `seed` and, by `stream`, are independent of each other.
    ///
    /// One seed in four treats everything on the disk alike: all kept, all lost, little lost.
    init(seed: UInt64, stream: Int) {
        var common = SplitMix64(seed: seed)
        let shared = common.next()
        let salt = common.next()
        random = SplitMix64(seed: salt ^ (UInt64(stream) &* 0xD6E8_FEB8_6659_FD93))
        let own = random.next()
        let bias = (shared & 3 == 0 ? shared >> 2 : own) % UInt64(Self.biases.count)
        (newest, oldest) = Self.biases[Int(bias)]
    }

    /// One of `0...newest`, from the oldest version to the newest.
    mutating func version(newest count: Int) -> Int {
        guard count > 0 else { return 0 }
        let number = random.unit()
        if number < newest { return count }
        if number < newest + oldest { return 0 }
        return Int(random.next() % UInt64(count + 1))
    }

    /// Whether something happened.
    mutating func happened() -> Bool { version(newest: 1) == 1 }
}
