import MillraceCompute
import MillraceModels
import MillraceTestSupport
import Testing

/// What a prediction does besides arithmetic: nothing.
@Suite struct PredictionCostTests {
    private static let own = Scoring.all.filter { $0.kernels != .blas }

    /// Reference counts are those of code that is optimised: `swift test -c release`.
    @Test(arguments: own)
    func allocatesLocksAndCountsNothing(scoring: Scoring) throws {
        var draw = Draw(9)
        let model = try draw.model([64, 128, 64, 10], .relu, .softmax)
        let prepared = scoring.prepare(model)
        let features = draw.features(100 * 64)
        let halves = [UInt16](repeating: 0x3C00, count: 100 * 64)
        var output = [Float](repeating: 0, count: 100 * 10)
        var workspace = ScoringWorkspace(for: prepared)
        var target = output.mutableSpan
        var cost = Self.cost(prepared, features.span, halves.span, &target, &workspace)
        #if DEBUG
            cost.retains = 0
            cost.releases = 0
        #endif
        #expect(cost == .zero)
    }

    @inline(never)
    private static func cost(
        _ prepared: PreparedModel, _ features: Span<Float>, _ halves: Span<UInt16>,
        _ output: inout MutableSpan<Float>, _ workspace: inout ScoringWorkspace
    ) -> Counts {
        let narrow = unsafe halves.bytes
        let before = Counts.now()
        var rows = 1
        while rows <= 100 {
            prepared.predict(
                features, rows: rows, stride: 64, into: &output, workspace: &workspace)
            prepared.predict(
                FeatureMatrix(narrow, rows: rows, stride: 128, element: .float16),
                into: &output, workspace: &workspace)
            rows = rows * 7 + 2
        }
        return Counts.now().since(before)
    }

    @Test(arguments: own)
    func makesNoSystemCall(scoring: Scoring) throws {
        guard Counts.seesAllocations else { return }
        var draw = Draw(9)
        let model = try draw.model([64, 128, 64, 10], .tanh, .softmax)
        let prepared = scoring.prepare(model)
        let features = draw.features(100 * 64)
        var output = [Float](repeating: 0, count: 100 * 10)
        var workspace = ScoringWorkspace(for: prepared)
        func predict() {
            var target = output.mutableSpan
            prepared.predict(
                features.span, rows: 100, stride: 64, into: &target, workspace: &workspace)
        }
        predict()
        #expect(SystemCalls.areNone { predict() })
        #expect(!SystemCalls.areNone { SystemCalls.makeOne() }, "the trap works")
    }
}
