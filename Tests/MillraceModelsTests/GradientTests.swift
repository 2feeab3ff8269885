import MillraceModels
import Testing

/// The gradient is the slope of the loss, measured by moving each parameter.
@Suite struct GradientTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var objective: Objective
        var loss: Loss
        var classWeights: [Double] = []

        var testDescription: String { "\(objective) \(loss) \(classWeights)" }
    }

    static let cases = [
        Case(objective: .regression, loss: .squared),
        Case(objective: .regression, loss: .huber(delta: 0.4)),
        Case(objective: .logistic, loss: .logistic),
        Case(objective: .logistic, loss: .logistic, classWeights: [0.5, 3]),
        Case(objective: .softmax(classes: 4), loss: .crossEntropy),
        Case(objective: .softmax(classes: 4), loss: .crossEntropy, classWeights: [1, 0, 2, 0.25]),
    ]

    @Test(arguments: cases, Activation.allCases)
    func isTheSlopeOfTheLoss(of example: Case, activation: Activation) throws {
        for hidden in [[], [6], [5, 4], [4, 3, 5]] {
            for weighted in [false, true] {
                try check(example, activation, hidden, weighted)
            }
        }
    }

    private func check(
        _ example: Case, _ activation: Activation, _ hidden: [Int], _ weighted: Bool
    ) throws {
        var draw = Draw(43)
        var options = TrainingOptions(example.objective, features: 3)
        options.scaledFeatures = [false, false, false]
        options.imputation = [.constant(0.5), .constant(0), .constant(0)]
        options.loss = example.loss
        options.classWeights = example.classWeights
        options.hidden = hidden
        options.activation = activation
        options.seed = 5
        var trainer = try Trainer(options)
        let rows = 5
        // A first step, so that linear models do not stand at zero.
        try trainer.learn(draw.numbers(rows * 3), labels(example.objective, rows, &draw))
        let model = try trainer.model()
        let features = draw.numbers(rows * 3)
        let targets = labels(example.objective, rows, &draw)
        let weights = weighted ? draw.numbers(rows, 0...2) : [Float](repeating: 1, count: rows)
        let found = try trainer.gradient(
            features.span, rows: rows, stride: 3, labels: targets.span,
            weights: weighted ? weights.span : nil)
        let judge = Judge(
            example: example, features: features, labels: targets, weights: weights)
        #expect(abs(found.loss - judge.loss(model)) < 1e-5, "\(activation) \(hidden)")
        var at = 0
        let isRectifier = activation == .relu || activation == .leakyReLU
        for (index, layer) in model.layers.enumerated() {
            for i in 0..<layer.weights.count + layer.bias.count {
                func moved(_ step: Float) throws -> (Double, Float) {
                    var layers = model.layers
                    let isWeight = i < layer.weights.count
                    let j = isWeight ? i : i - layer.weights.count
                    let value = (isWeight ? layer.weights[j] : layer.bias[j]) + step
                    if isWeight {
                        layers[index].weights[j] = value
                    } else {
                        layers[index].bias[j] = value
                    }
                    let other = try Model(
                        input: model.input, layers: layers, activation: activation,
                        head: model.head)
                    return (judge.loss(other), value)
                }
                let (above, right) = try moved(0x1p-13)
                let (below, left) = try moved(-0x1p-13)
                let (here, middle) = try moved(0)
                // Where a rectifier bends, the slope is one of both sides or between them.
                let slopes = [
                    (above - here) / Double(right - middle), (here - below) / Double(middle - left),
                ]
                let expected = (above - below) / Double(right - left)
                let bend = isRectifier ? abs(slopes[0] - slopes[1]) : 0
                let bound = 3e-5 + 2e-4 * abs(expected) + bend
                #expect(
                    abs(Double(found.gradient[at]) - expected) < bound,
                    "\(activation) \(hidden), layer \(index), parameter \(i)")
                at += 1
            }
        }
        #expect(at == found.gradient.count)
    }

    private func labels(_ objective: Objective, _ rows: Int, _ draw: inout Draw) -> [Float] {
        (0..<rows).map { _ in
            objective.classes == 0
                ? draw.number() : Float(draw.integer(0...objective.classes - 1))
        }
    }

    /// The loss by its definition, from predictions in double.
    private struct Judge {
        let example: Case
        let features: [Float]
        let labels: [Float]
        let weights: [Float]

        func loss(_ model: Model) -> Double {
            let reference = ReferenceModel(model)
            var sum = 0.0
            for (row, label) in labels.enumerated() {
                let width = model.inputWidth
                let out = reference.predict(Array(features[row * width..<(row + 1) * width]))
                var factor = Double(weights[row])
                if !example.classWeights.isEmpty { factor *= example.classWeights[Int(label)] }
                sum += factor * loss(out, label)
            }
            return sum / Double(labels.count)
        }

        private func loss(_ out: [Double], _ label: Float) -> Double {
            let error = abs(out[0] - Double(label))
            switch example.loss {
            case .squared: return 0.5 * error * error
            case .huber(let delta):
                return error <= delta ? 0.5 * error * error : delta * (error - delta / 2)
            case .logistic: return -logarithm(label == 1 ? out[0] : 1 - out[0])
            case .crossEntropy: return -logarithm(out[Int(label)])
            }
        }
    }
}
