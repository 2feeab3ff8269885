internal import BenchmarkSupport

/// The shipped digits, standardised, again and again, and what is learnt from them.
struct Rows {
    static let columns = Digits.columns
    static let batch = 256

    let count: Int
    /// `[count, columns]`, row-major; on huge pages, as those of who is compared are.
    let features: HugePages
    /// The digits.
    let digits: [Float]
    /// 1 where the digit is 5 or more, otherwise 0.
    let halves: [Float]

    init(_ count: Int) throws {
        self.count = count
        let raw = try Digits(rows: Digits.images)
        var scaled = raw.features
        for column in 0..<Self.columns {
            let values = (0..<Digits.images).map {
                Double(raw.features[$0 * Self.columns + column])
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let deviation = (squares / Double(values.count)).squareRoot()
            for row in 0..<Digits.images {
                scaled[row * Self.columns + column] = Float(
                    (values[row] - mean) / (deviation > 0 ? deviation : 1))
            }
        }
        features = HugePages(
            (0..<count).flatMap { row in
                let image = row % Digits.images
                return scaled[image * Self.columns..<(image + 1) * Self.columns]
            })
        digits = (0..<count).map { raw.labels[$0 % Digits.images] }
        halves = digits.map { $0 >= 5 ? 1 : 0 }
    }
}
