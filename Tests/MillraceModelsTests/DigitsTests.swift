import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// The shipped digits, the test rows being those with index % 5 == 4.
struct Digits {
    var features: [Float] = []
    var labels: [Float] = []
    var testFeatures: [Float] = []
    var testLabels: [Int] = []

    init() throws {
        let bytes = try Files.read(SharedData.digits, maxBytes: 1 << 20)
        let lines = bytes.split(separator: UInt8(ascii: "\n")).dropFirst()
        for (index, line) in lines.enumerated() {
            let numbers = line.split(separator: UInt8(ascii: ",")).compactMap {
                Float(String(decoding: $0, as: UTF8.self))
            }
            try #require(numbers.count == 65)
            if index % 5 == 4 {
                testFeatures += numbers.dropLast()
                testLabels.append(Int(numbers[64]))
            } else {
                features += numbers.dropLast()
                labels.append(numbers[64])
            }
        }
    }

    /// Accuracy on the test rows after 30 epochs, each in an order that seed and epoch decide.
    func accuracy(_ options: TrainingOptions) throws -> Double {
        var trainer = try Trainer(options)
        for epoch in 0..<30 {
            var generator = SplitMix64(seed: options.seed &* 1000 &+ UInt64(epoch))
            let order = labels.indices.shuffled(using: &generator)
            for start in stride(from: 0, to: order.count, by: options.batchRows) {
                let rows = order[start..<min(start + options.batchRows, order.count)]
                let batch = rows.flatMap { features[$0 * 64..<($0 + 1) * 64] }
                try trainer.learn(batch, rows.map { labels[$0] })
            }
        }
        let outputs = PreparedModel(try trainer.model()).predict(testFeatures)
        var metrics = ClassificationMetrics(classes: 10)
        for (row, label) in testLabels.enumerated() {
            metrics.add(
                probabilities: outputs.span.extracting(row * 10..<(row + 1) * 10), label: label)
        }
        return metrics.accuracy
    }

    func median(_ options: TrainingOptions) throws -> Double {
        let results = try (1...5).map { seed in
            var options = options
            options.seed = UInt64(seed)
            return try accuracy(options)
        }
        print("digits, seeds 1 to 5:", results)
        return results.sorted()[2]
    }
}

@Suite struct DigitsTests {
    @Test func aLinearModelReadsDigits() throws {
        let digits = try Digits()
        #expect(digits.labels.count == 1438 && digits.testLabels.count == 359)
        var options = TrainingOptions(.softmax(classes: 10), features: 64)
        // Pixels have one scale already.
        options.scaledFeatures = [Bool](repeating: false, count: 64)
        options.batchRows = 32
        options.optimizer = .adam(rate: 0.003)
        #expect(try digits.median(options) >= 0.955)
    }

    @Test func aMultiLayerPerceptronReadsDigits() throws {
        var options = TrainingOptions(.softmax(classes: 10), features: 64)
        options.hidden = [128, 64]
        options.batchRows = 32
        options.optimizer = .adam(rate: 0.001)
        #expect(try Digits().median(options) >= 0.965)
    }
}
