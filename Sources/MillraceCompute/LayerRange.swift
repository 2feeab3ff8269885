/// Between what each number lies that a layer takes: what bytes are spread over.
///
/// The range of every number includes zero, which a byte stands for exactly.
package struct LayerRange: Sendable, Equatable, Codable {
    /// The smallest, at most 0.
    package var low: [Float]
    /// The largest, at least 0.
    package var high: [Float]

    /// Ranges of zero alone.
    package init(width: Int) {
        low = [Float](repeating: 0, count: width)
        high = low
    }

    /// A range narrower than this is none.
    private static let narrowest: Float = 1e-30

    private func width(_ i: Int) -> Float { high[i] - low[i] }

    /// Widens the ranges so that they hold `values`, one for each.
    package mutating func include(_ values: Span<Float>) {
        precondition(values.count == low.count, "a layer takes as many numbers as it has inputs")
        for i in 0..<values.count {
            low[i] = min(low[i], values[i])
            high[i] = max(high[i], values[i])
        }
    }

    /// Gives inputs that were never seen to vary the mean range of the others: upwards alone where
    /// nothing is below zero (`isPositive`).
    package mutating func fillEmpty(isPositive: Bool) {
        let seen = low.indices.filter { width($0) >= Self.narrowest }
        let sum = seen.reduce(0.0) { $0 + Double(high[$1]) - Double(low[$1]) }
        let mean = seen.isEmpty ? 1 : Float(sum / Double(seen.count))
        for i in low.indices where width(i) < Self.narrowest {
            low[i] = isPositive ? 0 : -mean / 2
            high[i] = isPositive ? mean : mean / 2
        }
    }

    /// Whether bytes can be spread over it for a layer that takes `inputs` numbers, none of them below
    /// zero where `isPositive`.
    package func isSound(inputs: Int, isPositive: Bool) -> Bool {
        low.count == inputs && isSound && (!isPositive || low.allSatisfy { $0 == 0 })
    }

    /// Whether bytes can be spread over it.
    package var isSound: Bool {
        low.count == high.count
            && low.indices.allSatisfy {
                low[$0] <= 0 && high[$0] >= 0 && width($0).isFinite && width($0) >= Self.narrowest
            }
    }

    /// How much one step of a byte is, and the byte that stands for zero.
    func step(_ i: Int) -> (size: Double, zero: Double) {
        let size = (Double(high[i]) - Double(low[i])) / 255
        let zero = (-Double(low[i]) / size).rounded(.toNearestOrEven)
        return (size, min(max(zero, 0), 255))
    }
}
