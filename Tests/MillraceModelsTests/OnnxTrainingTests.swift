import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// The ONNX standard's own cases for steps of optimisers and for losses; see
/// `Onnx/generate_training.py`.
@Suite struct OnnxTrainingTests {
    @Test(arguments: KernelSet.available)
    func optimizersStepAsTheStandardSays(kernels: KernelSet) throws {
        let cases = try Case.all().filter { $0.tensors["rate"] != nil }
        #expect(cases.count == 7)
        for example in cases {
            let isMultiple = example.tensors["X"] == nil
            for suffix in isMultiple ? ["1", "2"] : [""] { try step(example, suffix, kernels) }
        }
    }

    /// Takes the step of the parameters whose names end in `suffix`.
    private func step(_ example: Case, _ suffix: String, _ kernels: KernelSet) throws {
        func value(_ key: String) -> Double { example.keys[key].flatMap(Double.init) ?? 0 }
        func tensor(_ name: String) throws -> [Float] {
            try #require(example.tensors[name + suffix], "\(example.name) \(name)")
        }
        // No case has more than its first step, for which the standard corrects nothing.
        #expect(example.tensors["count"] == [0])
        var step: OptimizerStep
        var parameters = try tensor("X")
        var first: [Float] = []
        var second: [Float] = []
        var results = ["X": [Float]()]
        switch example.kind {
        case "Adam":
            step = OptimizerStep(.adam)
            step.beta1 = value("alpha")
            step.beta2 = value("beta")
            (first, second) = (try tensor("V"), try tensor("H"))
        case "Adagrad":
            step = OptimizerStep(.adagrad)
            second = try tensor("H")
        default:
            step = OptimizerStep(example.keys["mode"] == "nesterov" ? .nesterov : .momentum)
            step.beta1 = value("alpha")
            // The case of several parameters calls the velocity H where it comes in.
            first = try example.tensors["H" + suffix] ?? tensor("V")
        }
        step.rate = Double(try #require(example.tensors["rate"])[0])
        step.epsilon = value("epsilon")
        step.l2 = value("norm_coefficient")
        step.apply(
            parameters.indices, parameters: &parameters, gradient: try tensor("G"), first: &first,
            second: &second, kernels: kernels)
        results["X"] = parameters
        if !first.isEmpty { results["V"] = first }
        if !second.isEmpty { results["H"] = second }
        for (name, found) in results {
            let expected = try #require(example.tensors[name + suffix + "_new"])
            try #require(found.count == expected.count)
            for (x, y) in zip(found, expected) {
                #expect(abs(x - y) <= 2e-6 * abs(y) + 1e-7, "\(example.name) \(name)")
            }
        }
    }

    @Test func lossesAreWhatTheStandardSays() throws {
        let cases = try Case.all().filter { $0.tensors["scores"] != nil }
        #expect(cases.count == 31)
        for example in cases {
            let scores = try #require(example.tensors["scores"])
            let labels = try #require(example.tensors["labels"])
            let expected = try #require(example.tensors["loss"])
            let found = try losses(example, scores, labels)
            try #require(found.count == expected.count, "\(example.name)")
            for (x, y) in zip(found, expected) {
                #expect(abs(x - Double(y)) <= 2e-6 * abs(Double(y)) + 1e-6, "\(example.name)")
            }
        }
    }

    private func losses(
        _ example: Case, _ scores: [Float], _ labels: [Float]
    ) throws -> [Double] {
        let classes = scores.count / labels.count
        let ignored = example.keys["ignore_index"].flatMap(Float.init)
        let perClass = example.tensors["weights"]
        var sum = 0.0
        var weights = 0.0
        var each: [Double] = []
        for (row, label) in labels.enumerated() {
            let isIgnored = label == ignored
            let weight = isIgnored ? 0 : perClass?[Int(label)] ?? 1
            let evaluation = try judge(
                Array(scores[row * classes..<(row + 1) * classes]),
                label: isIgnored ? 0 : label, weight: weight,
                isNormalised: example.kind == "NegativeLogLikelihoodLoss")
            sum += evaluation.lossSum
            weights += evaluation.weightSum
            each.append(evaluation.lossSum)
        }
        switch example.keys["reduction"] {
        case "none": return each
        case "sum": return [sum]
        default: return [sum / weights]
        }
    }

    /// A row's loss. Scores that are log-probabilities without adding up to 1 get one more class
    /// that makes up for it, after all are lowered by 10, which is taken off again.
    private func judge(
        _ scores: [Float], label: Float, weight: Float, isNormalised: Bool
    ) throws -> (lossSum: Double, weightSum: Double) {
        var logits = scores
        if isNormalised {
            logits = logits.map { $0 - 10 }
            let rest = 1 - logits.reduce(0) { $0 + exponential(Double($1)) }
            logits.append(Float(logarithm(rest)))
        }
        let options = TrainingOptions(.softmax(classes: logits.count), features: 1)
        var judgement = LossFunction.Judgement()
        let found = LossFunction(options, kernels: .best).evaluate(
            logits, labels: [label].span, factors: [weight], rows: 1, into: &judgement)
        let lowered = isNormalised ? 10 * Double(weight) : 0
        return (found.lossSum - lowered, found.weightSum)
    }
}

/// A case: an operator with its inputs and outputs by name.
private struct Case {
    var name: String
    var kind: String
    var keys: [String: String] = [:]
    var tensors: [String: [Float]] = [:]

    static func all() throws -> [Case] {
        let path = SharedData.root + "/Tests/MillraceModelsTests/Onnx/training.txt"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
        var cases: [Case] = []
        var role = ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if words[0] == "case" {
                var example = Case(name: words[1], kind: words[2])
                for word in words.dropFirst(3) {
                    let pair = word.split(separator: "=").map(String.init)
                    example.keys[pair[0]] = pair[1]
                }
                cases.append(example)
            } else if words[0] == "tensor" {
                role = words[1]
            } else {
                cases[cases.count - 1].tensors[role] = words.compactMap { Float($0) }
            }
        }
        return cases
    }
}
