import MillraceInput
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// Row by row, weights go where those of scikit-learn's SGDClassifier and SGDRegressor go; see
/// `Trajectories/generate.py`.
@Suite struct TrajectoryTests {
    /// The shipped flights as the recipe has them.
    private struct Flights {
        static let columns = [
            "month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "distance",
        ]
        var features: [Float] = []
        var late: [Float] = []
        var hours: [Float] = []

        init(_ mean: [Double], _ deviation: [Double]) throws {
            var lines = try LineReader(path: SharedData.flights)
            _ = try lines.next()
            let names = String(decoding: Self.bytes(lines.text), as: UTF8.self)
                .split(separator: ",").map(String.init)
            let places = try (Self.columns + ["arr_delay"]).map {
                try #require(names.firstIndex(of: $0))
            }
            while try lines.next() != nil {
                let cells = Self.cells(lines.text, places)
                guard cells.allSatisfy(\.isFinite) else { continue }
                for i in mean.indices {
                    features.append(Float((cells[i] - mean[i]) / deviation[i]))
                }
                late.append(cells[6] > 15 ? 1 : 0)
                hours.append(Float(cells[6] / 60))
            }
        }

        private static func bytes(_ text: Span<UInt8>) -> [UInt8] {
            text.indices.map { text[$0] }
        }

        /// Whole numbers, NaN where there is none.
        private static func cells(_ text: Span<UInt8>, _ places: [Int]) -> [Double] {
            var found = [Double](repeating: .nan, count: places.count)
            let fields = bytes(text).split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            for (i, place) in places.enumerated() {
                let field = fields[place]
                if let number = Int(String(decoding: field, as: UTF8.self)) {
                    found[i] = Double(number)
                }
            }
            return found
        }
    }

    private struct Case {
        var name: String
        var keys: [String: String]
        var points: [(rows: Int, weights: [Double])] = []

        var options: TrainingOptions {
            get throws {
                func value(_ key: String) -> Double? { keys[key].flatMap(Double.init) }
                let isClassifier = keys["loss"] == "log_loss"
                var options = TrainingOptions(
                    isClassifier ? .logistic : .regression, features: Flights.columns.count)
                options.scaledFeatures = options.scaledFeatures.map { _ in false }
                options.clip = nil
                options.mode = .sequential
                options.optimizer = .sgd(rate: try #require(value("eta0")))
                if keys["loss"] == "huber" {
                    options.loss = .huber(delta: try #require(value("epsilon")))
                }
                if keys["penalty"] == "l2" { options.regularization.l2 = value("alpha") ?? 0 }
                if keys["penalty"] == "l1" { options.regularization.l1 = value("alpha") ?? 0 }
                return options
            }
        }
    }

    @Test func weightsGoWhereThoseOfScikitLearnGo() throws {
        let path = SharedData.root + "/Tests/MillraceModelsTests/Trajectories/trajectories.txt"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
        var numbers: [String: [Double]] = [:]
        var cases: [Case] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "case":
                var keys: [String: String] = [:]
                for word in words.dropFirst(3) {
                    let pair = word.split(separator: "=").map(String.init)
                    keys[pair[0]] = pair[1]
                }
                cases.append(Case(name: words[1], keys: keys))
            case "after":
                cases[cases.count - 1].points.append(
                    (try #require(Int(words[1])), words.dropFirst(2).compactMap(Double.init)))
            default: numbers[words[0]] = words.dropFirst().compactMap(Double.init)
            }
        }
        #expect(cases.count == 5)
        let flights = try Flights(
            try #require(numbers["mean"]), try #require(numbers["deviation"]))
        #expect(flights.late.count == 327_346)
        for example in cases { try follow(example, flights) }
    }

    private func follow(_ example: Case, _ flights: Flights) throws {
        let options = try example.options
        let width = options.features
        var trainer = try Trainer(options)
        var done = 0
        var worst = (early: 0.0, late: 0.0)
        let labels = options.objective == .logistic ? flights.late : flights.hours
        for (rows, expected) in example.points {
            // In blocks of an odd size: they are no steps.
            while done < rows {
                let count = min(251, rows - done)
                _ = try trainer.learn(
                    flights.features.span.extracting(done * width..<(done + count) * width),
                    rows: count, stride: width, labels: labels.span.extracting(done..<done + count))
                done += count
            }
            let layer = try trainer.model().layers[0]
            try #require(expected.count == width + 1)
            for (found, wanted) in zip(layer.weights + layer.bias, expected) {
                let off = abs(Double(found) - wanted) / max(1, abs(wanted))
                let isEarly = rows <= 10_000
                if isEarly { worst.early = max(worst.early, off) }
                worst.late = max(worst.late, off)
                #expect(
                    off <= (isEarly ? 1e-5 : 1e-3),
                    "\(example.name) after \(rows) rows: \(found), not \(wanted)")
                // What the cumulative penalty makes zero is exactly zero.
                if wanted == 0 { #expect(found == 0) }
            }
        }
        print("trajectory \(example.name): off by \(worst.early) early, \(worst.late) in all")
    }
}
