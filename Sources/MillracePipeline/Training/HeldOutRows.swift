internal import MillraceModels

/// The newest held-out rows, for which two versions are compared.
struct HeldOutRows {
    private let width: Int
    private let capacity: Int
    private(set) var features: [Float] = []
    private(set) var labels: [Float] = []
    /// The place of the oldest row, which the next one replaces once there are enough.
    private var oldest = 0

    init(width: Int, capacity: Int) {
        self.width = width
        self.capacity = capacity
    }

    var count: Int { labels.count }

    /// Adds rows, in the order of their lanes.
    mutating func add(_ block: borrowing RowBlock) {
        for (row, label) in block.heldLabels.enumerated() {
            let cells = block.heldFeatures[row * width..<(row + 1) * width]
            if labels.count < capacity {
                features.append(contentsOf: cells)
                labels.append(label)
            } else {
                features.replaceSubrange(oldest * width..<(oldest + 1) * width, with: cells)
                labels[oldest] = label
                oldest = (oldest + 1) % capacity
            }
        }
    }

    /// The mean loss of a model, by its definition's predictions in float32; infinite where it
    /// predicts no numbers.
    func loss(of model: Model, _ loss: Loss) -> Double {
        let outputs = PreparedModel(model).predict(features)
        let wide = model.outputWidth
        var sum = 0.0
        for (row, label) in labels.enumerated() {
            sum += loss.ofPrediction(outputs[row * wide..<(row + 1) * wide], label: label)
        }
        return sum.isFinite ? sum / Double(labels.count) : .infinity
    }

    /// Whether all labels are one class.
    var hasOneClass: Bool { labels.allSatisfy { $0 == labels.first } }

    func encoded() -> [UInt8] {
        guard !labels.isEmpty else { return [] }
        return Self.bytes(UInt32(oldest))
            + (features + labels).flatMap { Self.bytes($0.bitPattern) }
    }

    /// Rows from a checkpoint; nil when the bytes are none.
    init?(_ bytes: [UInt8], width: Int, capacity: Int) {
        self.init(width: width, capacity: capacity)
        guard !bytes.isEmpty else { return }
        guard bytes.count % 4 == 0, (bytes.count / 4 - 1) % (width + 1) == 0 else { return nil }
        let words = stride(from: 0, to: bytes.count, by: 4).map { at in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
        }
        let rows = (words.count - 1) / (width + 1)
        guard rows <= capacity, Int(words[0]) < capacity else { return nil }
        oldest = Int(words[0])
        let numbers = words.dropFirst().map { Float(bitPattern: $0) }
        features = Array(numbers.prefix(rows * width))
        labels = Array(numbers.dropFirst(rows * width))
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
