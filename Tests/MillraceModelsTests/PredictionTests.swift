import Glibc
import MillraceCompute
import MillraceModels
import Testing

/// Input stages, heads and counts against the definition, and the edges of buffers.
@Suite struct PredictionTests {
    @Test(arguments: KernelSet.available, RowNormalisation.allCases)
    func selectedAndNormalisedRowsAgreeWithTheDefinition(
        kernels: KernelSet, normalisation: RowNormalisation
    ) throws {
        var draw = Draw(41)
        for (inputs, outputs) in [(1, 1), (7, 3), (16, 9), (45, 17)] {
            var input = draw.inputStage(inputs)
            input.normalisation = normalisation
            let rowWidth = inputs + 4
            input.selection = InputStage.Selection(
                rowWidth: rowWidth,
                columns: (0..<inputs).map { _ in draw.integer(0...rowWidth - 1) })
            let model = try Model(
                input: input, layers: draw.layers([inputs, 21, outputs]), activation: .relu,
                head: outputs > 1 ? .oneVsRest : .scores)
            let features = draw.features(80 * rowWidth)
            let predicted = PreparedModel(model, kernels: kernels).predict(features)
            let reference = ReferenceModel(model)
            for row in 0..<80 {
                let place = row * rowWidth..<(row + 1) * rowWidth
                let expected = reference.predict(Array(features[place]))
                for (i, value) in expected.enumerated() {
                    let error = abs(Double(predicted[row * outputs + i]) - value)
                    #expect(error < 2e-5, "\(inputs) inputs, row \(row), output \(i)")
                }
            }
        }
    }

    @Test(arguments: KernelSet.available)
    func sharesOfOneVersusRestAddUpToOne(kernels: KernelSet) throws {
        var draw = Draw(3)
        let model = try draw.model([12, 5], .relu, .oneVsRest)
        #expect(model.classCount == 5)
        let outputs = PreparedModel(model, kernels: kernels).predict(draw.features(40 * 12))
        for row in 0..<40 {
            #expect(abs(outputs[row * 5..<(row + 1) * 5].reduce(0, +) - 1) < 1e-6)
        }
    }

    /// Bytes are in a test of their own: they stand for no infinity.
    @Test(
        arguments: Scoring.all.filter { $0.reduced?.precision != .int8 }, MissingPolicy.allCases)
    func missingFeaturesAreCounted(scoring: Scoring, policy: MissingPolicy) throws {
        var input = InputStage(identity: 3)
        input.impute = [1, 2, 3]
        input.missing = policy
        let layer = DenseLayer(
            inputs: 3, outputs: 2, weights: [1, 10, 1, 10, 1, 10], bias: [0, 0])
        let prepared = scoring.prepare(
            try Model(input: input, layers: [layer], head: .identity))
        let rows: [Float] = [
            1, 1, 1, .nan, 1, .nan, 1, .infinity, 1, 1, 1, .nan, 2, 2, 2,
        ]
        var output = [Float](repeating: -1, count: 10)
        var workspace = ScoringWorkspace(for: prepared)
        var target = output.mutableSpan
        let counts = prepared.predict(
            rows.span, rows: 5, stride: 3, into: &target, workspace: &workspace)
        #expect(output[0..<2] == [3, 30] && output[8...] == [6, 60])
        switch policy {
        case .impute:
            #expect(counts == PredictionCounts(missing: 3, rejected: 0, notFinite: 1))
            #expect(output[2..<4] == [5, 50] && output[6..<8] == [5, 50])
            #expect(output[4] == .infinity)
        case .reject:
            #expect(counts == PredictionCounts(missing: 0, rejected: 3, notFinite: 0))
            #expect(output[2..<8].allSatisfy { $0.isNaN })
        case .propagate:
            #expect(counts == PredictionCounts(missing: 0, rejected: 0, notFinite: 3))
            #expect((output[2..<4] + output[6..<8]).allSatisfy { $0.isNaN })
            #expect(output[4] == .infinity)
        }
    }

    @Test func inputStagesThatDoNotFitAreRefused() throws {
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [1, 1], bias: [0])
        func refusal(_ change: (inout InputStage) -> Void, _ head: Head = .identity) -> ModelError?
        {
            var input = InputStage(identity: 2)
            change(&input)
            do {
                _ = try Model(input: input, layers: [layer], head: head)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal { _ in } == nil)
        #expect(
            refusal { $0.selection = .init(rowWidth: 3, columns: [1]) }?.code == .invalidShape)
        #expect(
            refusal { $0.selection = .init(rowWidth: 3, columns: [1, 3]) }?.code == .invalidShape)
        #expect(
            refusal { $0.selection = .init(rowWidth: 3, columns: [-1, 2]) }?.code == .invalidShape)
        #expect(refusal { $0.selection = .init(rowWidth: 3, columns: [2, 2]) } == nil)
        #expect(refusal { $0.mean[1] = .infinity }?.code == .invalidNumber)
        #expect(refusal({ _ in }, .oneVsRest)?.code == .invalidShape)
        #expect(refusal({ _ in }, .scores) == nil)
    }

    @Test(arguments: Scoring.all)
    func nothingOutsideTheBuffersIsTouched(scoring: Scoring) throws {
        var draw = Draw(77)
        for round in 0..<40 {
            let widths = [draw.integer(1...70), draw.integer(1...40), draw.integer(1...19)]
            var input = InputStage(identity: widths[0])
            input.missing = round % 2 == 0 ? .propagate : .impute
            let model = try Model(
                input: input,
                layers: draw.layers(round % 3 == 0 ? [widths[0], widths[2]] : widths),
                head: .identity)
            let prepared = scoring.prepare(model)
            var workspace = ScoringWorkspace(for: prepared)
            for rows in [1, 2, 3, 7, 65] {
                let features = draw.numbers(rows * widths[0])
                let expected = prepared.predict(features)
                for atEnd in [false, true] {
                    let source = GuardedFloats(features.count, atEnd: atEnd)
                    let target = GuardedFloats(expected.count, atEnd: atEnd)
                    for (i, value) in features.enumerated() { unsafe source.floats[i] = value }
                    var output = unsafe MutableSpan(_unsafeElements: target.floats)
                    prepared.predict(
                        unsafe Span(_unsafeElements: UnsafeBufferPointer(source.floats)),
                        rows: rows, stride: widths[0], into: &output, workspace: &workspace)
                    #expect((0..<expected.count).allSatisfy { output[$0] == expected[$0] })
                }
            }
        }
    }
}

/// Floats right behind a page, or right before one, that must not be touched.
@safe private final class GuardedFloats {
    let floats: UnsafeMutableBufferPointer<Float>
    private let memory: UnsafeMutableRawPointer
    private let length: Int

    init(_ count: Int, atEnd: Bool) {
        let page = 4096
        let inner = (count * 4 + page - 1) / page * page
        length = inner + 2 * page
        let mapped = unsafe mmap(
            nil, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED,
            unsafe mprotect(mapped + page, inner, PROT_READ | PROT_WRITE) == 0
        else { preconditionFailure("no memory") }
        unsafe memory = mapped
        let start = atEnd ? page + inner - count * 4 : page
        unsafe floats = UnsafeMutableBufferPointer(
            start: (mapped + start).bindMemory(to: Float.self, capacity: count), count: count)
    }

    deinit { unsafe munmap(memory, length) }
}
