internal import LogFigures

/// What is made larger.
enum Axis: String, CaseIterable {
    case rows, features, partitions, slots, log

    /// The values of a table, and what each is the size of.
    func sizes(upTo largest: Int?) -> [(value: Int, size: Size)] {
        let values: [Int]
        var end: Int
        switch self {
        case .rows: (values, end) = ([4, 5, 6, 7, 8].map(Self.powerOfTen), 10_000_000)
        case .features: (values, end) = ([8, 16, 32, 64, 128, 256, 512, 1024], 1024)
        case .partitions: (values, end) = ([1, 4, 16, 64, 256], 256)
        case .slots: (values, end) = ([1, 2, 4, 8], min(8, Machine.cores))
        case .log: (values, end) = ([1, 5, 20], 5)
        }
        if let largest { end = self == .slots ? min(largest, Machine.cores) : largest }
        return values.filter { $0 <= end }.map { ($0, size($0)) }
    }

    private static func powerOfTen(_ power: Int) -> Int {
        (0..<power).reduce(1) { product, _ in product * 10 }
    }

    private func size(_ value: Int) -> Size {
        switch self {
        case .rows: Size(rows: value)
        // As many numbers each time, 2^26.
        case .features: Size(rows: (1 << 26) / value, features: value)
        case .partitions: Size(rows: 1 << 20, partitions: value)
        case .slots: Size(rows: 1 << 21, partitions: 8, slots: value)
        // Gigabytes, of rows of 64 float32.
        case .log: Size(rows: value * 1_000_000_000 / 256, isCompressed: false)
        }
    }
}

/// How large a job is.
struct Size {
    var rows: Int
    var features = 64
    var partitions = 1
    var slots = 1
    var isCompressed = true

    /// Rows of a batch of 256 KiB.
    var batch: Int { (1 << 16) / features }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
