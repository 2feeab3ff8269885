internal import LogFigures

/// What was asked of scoring in memory.
struct Goal {
    /// What a network at some batch is compared with.
    enum Beside: String {
        case runtime = "ONNX Runtime"
        case better = "the better of ONNX Runtime and OpenVINO"
        case peak = "FMA peak of the same run"
        case read = "a bare read"
    }

    let network: String
    let batches: [Int]
    let beside: Beside
    let asked: Figure.Asked

    /// Of the issue that asked for it.
    static let all = [
        Goal("MLP 64-128-64-10", [1], .read, .atLeast(0.8)),
        Goal("MLP 64-128-64-10", [1], .runtime, .atLeast(4)),
        Goal("MLP 64-128-64-10", [8], .runtime, .atLeast(3)),
        Goal("MLP 64-128-64-10", [64, 256], .better, .atLeast(1.15)),
        Goal("MLP 64-128-64-10", [1024, 4096], .better, .atLeast(1.05)),
        Goal("MLP 64-128-64-10", [1024, 4096], .peak, .atLeast(0.9)),
        Goal("MLP 256-512-256-1", [64, 256, 1024], .peak, .atLeast(0.93)),
        Goal("MLP 256-512-256-1", [4096], .peak, .atLeast(0.9)),
        Goal("Linear 64-1", [1024], .runtime, .atLeast(6)),
        Goal("Linear 64-1", [1024], .read, .atLeast(0.85)),
    ]

    private init(
        _ network: String, _ batches: [Int], _ beside: Beside, _ asked: Figure.Asked
    ) {
        self.network = network
        self.batches = batches
        self.beside = beside
        self.asked = asked
    }
}
