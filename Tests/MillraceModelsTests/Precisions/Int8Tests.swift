import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// Layers in bytes: the bits of their definition, whatever the shape.
@Suite struct Int8Tests {
    private func ranges(_ model: Model, _ rows: [[Float]]) -> [LayerRange] {
        var finder = RangeFinder(model)
        let features = rows.flatMap { $0 }
        finder.add(
            FeatureMatrix(features.span, rows: rows.count, stride: model.inputWidth))
        return finder.ranges()
    }

    private func prepared(
        _ model: Model, _ kernels: ReducedKernels, _ ranges: [LayerRange]
    ) -> PreparedModel {
        PreparedModel(model, reduced: kernels, ranges: ranges)
    }

    private func expectDefinition(
        _ model: Model, _ rows: [[Float]], _ ranges: [LayerRange], stride: Int,
        _ kernels: ReducedKernels
    ) {
        let found = prepared(model, kernels, ranges).predict(rows, stride: stride, gap: .nan)
        let definition = ByteModel(model: model, ranges: ranges)
        expectSame(found, rows.flatMap(definition.predict), model, rows: rows.count)
    }

    /// Widths around those of words, vectors and panels; rows around those of a block and a tile.
    @Test(arguments: Scoring.int8)
    func aRowIsScoredByTheDefinition(kernels: ReducedKernels) throws {
        var draw = Draw(81)
        let shapes = [
            [1, 1], [2, 5], [3, 15], [4, 16], [5, 17], [15, 63], [16, 64], [17, 65, 3],
            [33, 127, 15], [40, 128, 49, 5], [64, 129, 64, 10], [129, 1, 1], [7, 200, 130],
        ]
        for (round, shape) in shapes.enumerated() {
            let model = try draw.model(shape, .relu, round % 2 == 0 ? .identity : .scores)
            let seen = (0..<30).map { _ in draw.features(shape[0]) }
            let ranges = ranges(model, seen)
            for count in [1, 2, 3, 5, 6, 7, 12, 13, 49] {
                // Some lie beyond the ranges.
                let rows = (0..<count).map { _ in draw.features(shape[0]).map { $0 * 1.5 } }
                expectDefinition(
                    model, rows, ranges, stride: shape[0] + draw.integer(0...3), kernels)
            }
        }
        let model = try draw.model([3, 20, 2], .relu, .scores)
        let ranges = ranges(model, (0..<30).map { _ in draw.features(3) })
        for count in [95, 96, 97, 200] {
            expectDefinition(
                model, (0..<count).map { _ in draw.features(3) }, ranges, stride: 3, kernels)
        }
    }

    @Test(arguments: Scoring.int8)
    func randomShapes(kernels: ReducedKernels) throws {
        var draw = Draw(82)
        for round in 0..<25 {
            var shape = [draw.integer(1...100)]
            for _ in 0...draw.integer(0...2) { shape.append(draw.integer(1...150)) }
            // Features as they are, and of very different sizes.
            var input = round % 3 == 0 ? InputStage(identity: shape[0]) : draw.inputStage(shape[0])
            if round % 3 == 0 { input.missing = .propagate }
            if round % 3 == 1 { for i in input.scale.indices { input.scale[i] = 1e3 } }
            let model = try Model(input: input, layers: draw.layers(shape), head: .identity)
            let rows = (0..<draw.integer(1...40)).map { _ in draw.features(shape[0]) }
            expectDefinition(
                model, rows, ranges(model, rows), stride: shape[0] + draw.integer(0...9),
                kernels)
        }
    }

    /// Sums as large as they can be, of bytes and weights at their ends.
    @Test(arguments: Scoring.int8)
    func sumsAreExact(kernels: ReducedKernels) throws {
        let inputs = 4099
        var range = LayerRange(width: inputs)
        range.high = [Float](repeating: 255, count: inputs)
        var input = InputStage(identity: inputs)
        input.missing = .propagate
        for (weight, feature) in [(Float(127), Float(255)), (-127, 255), (127, 0)] {
            // 132,746,115 is no float32; the sum is rounded once.
            let layer = DenseLayer(
                inputs: inputs, outputs: 17,
                weights: [Float](repeating: weight, count: inputs * 17),
                bias: [Float](repeating: 0, count: 17))
            let model = try Model(input: input, layers: [layer], head: .identity)
            let found = prepared(model, kernels, [range]).predict(
                [Float](repeating: feature, count: inputs))
            #expect(
                found.allSatisfy {
                    $0 == Float(Double(inputs) * Double(weight) * Double(feature))
                })
        }
    }

    /// Every activation and head, near what the model predicts by definition in double, for rows that
    /// the ranges come from.
    @Test(arguments: Scoring.int8, Activation.allCases)
    func activationsAndHeads(kernels: ReducedKernels, activation: Activation) throws {
        var draw = Draw(85)
        for head in Head.allCases {
            let model = try draw.model([37, 50, 20, head == .sigmoid ? 1 : 6], activation, head)
            let rows = (0..<40).map { _ in draw.features(37) }
            let found = prepared(model, kernels, ranges(model, rows)).predict(rows.flatMap { $0 })
            let exact = PreparedModel(model).predict(rows.flatMap { $0 })
            let reference = ReferenceModel(model)
            let expected = rows.flatMap(reference.predict)
            let largest = zip(found, expected).map { abs(Double($0) - $1) }.max() ?? 0
            #expect(largest < 0.06, "\(head): \(largest)")
            #expect(found != exact, "int8 has other bits")
        }
    }

    /// One layer is never further off than its steps allow.
    @Test(arguments: Scoring.int8)
    func oneLayerIsWithinItsBound(kernels: ReducedKernels) throws {
        var draw = Draw(86)
        for _ in 0..<20 {
            let inputs = draw.integer(1...80)
            let model = try draw.model([inputs, draw.integer(1...9)], .relu, .identity)
            let rows = (0..<20).map { _ in draw.features(inputs) }
            let ranges = ranges(model, rows)
            let found = prepared(model, kernels, ranges)
            let definition = ByteModel(model: model, ranges: ranges)
            let reference = ReferenceModel(model)
            let bound = definition.bound
            for row in rows {
                for (i, (a, b)) in zip(found.predict(row), reference.predict(row)).enumerated() {
                    #expect(abs(Double(a) - b) <= bound[i])
                }
            }
        }
    }

    /// The processor's instructions and the model of them.
    @Test func modelAgreesWithTheProcessor() throws {
        var draw = Draw(87)
        for activation in Activation.allCases {
            for shape in [[64, 128, 64, 10], [1, 2], [7, 3, 129, 2]] {
                let model = try draw.model(shape, activation, .softmax)
                let rows = (0..<200).map { _ in draw.features(shape[0]) }
                let ranges = ranges(model, Array(rows.prefix(50)))
                let bits = Scoring.int8.map {
                    prepared(model, $0, ranges).predict(rows.flatMap { $0 }).map(\.bitPattern)
                }
                #expect(bits.allSatisfy { $0 == bits[0] }, "\(shape), \(activation)")
            }
        }
    }

    /// No byte stands for a number that is not finite: the row has no outputs, and it alone.
    @Test(arguments: Scoring.int8, MissingPolicy.allCases)
    func numbersThatAreNone(kernels: ReducedKernels, policy: MissingPolicy) throws {
        var draw = Draw(88)
        var input = InputStage(identity: 19)
        input.missing = policy
        let model = try Model(
            input: input, layers: draw.layers([19, 30, 5]), head: .softmax)
        let rows = (0..<30).map { _ in draw.numbers(19) }
        let prepared = prepared(model, kernels, ranges(model, rows))
        var features = rows.flatMap { $0 }
        let whole = prepared.predict(features)
        features[3 * 19 + 18] = .nan
        features[8 * 19] = .infinity
        features[9 * 19 + 7] = -.infinity
        var output = [Float](repeating: 0, count: whole.count)
        var target = output.mutableSpan
        var workspace = ScoringWorkspace(for: prepared)
        let counts = prepared.predict(
            features.span, rows: 30, stride: 19, into: &target, workspace: &workspace)
        let lost = policy == .impute ? [8, 9] : [3, 8, 9]
        for row in 0..<30 where policy != .impute || row != 3 {
            let place = row * 5..<(row + 1) * 5
            if lost.contains(row) {
                #expect(output[place].allSatisfy { $0.isNaN })
            } else {
                #expect(output[place] == whole[place], "row \(row)")
            }
        }
        switch policy {
        case .impute:
            #expect(counts == PredictionCounts(missing: 1, rejected: 0, notFinite: 2))
        case .reject:
            #expect(counts == PredictionCounts(missing: 0, rejected: 3, notFinite: 0))
        case .propagate:
            #expect(counts == PredictionCounts(missing: 0, rejected: 0, notFinite: 3))
        }
    }

    /// Ranges hold zero and every number that was seen; what never varied has the others' mean.
    @Test func rangesAreThoseOfTheRows() throws {
        var input = InputStage(identity: 3)
        input.scale = [1, 2, 1]
        let layers = [
            DenseLayer(
                inputs: 3, outputs: 2, weights: [1, -1, 1, -1, 1, -1], bias: [0, -100]),
            DenseLayer(inputs: 2, outputs: 1, weights: [1, 1], bias: [0]),
        ]
        let model = try Model(input: input, layers: layers, head: .identity)
        let found = ranges(model, [[1, 2, 0], [-3, 5, 0], [.infinity, 1e9, 1e9]])
        #expect(found.map(\.low) == [[-3, 0, -3.5], [0, 0]])
        #expect(found.map(\.high) == [[1, 10, 3.5], [7, 7]])
        #expect(model.takes(found))
        // Of other layers, of numbers below zero where there can be none, and of none at all.
        #expect(!model.takes([found[0]]) && !model.takes([found[1], found[0]]))
        var wrong = found
        wrong[1].low[0] = -1
        #expect(!model.takes(wrong))
        wrong = found
        wrong[0].high[1] = 0
        #expect(!model.takes(wrong))
        wrong[0].high[1] = .infinity
        #expect(!model.takes(wrong))
        #expect(!model.takes([LayerRange(width: 3), found[1]]))
    }
}
