internal import MillraceModels

/// What a model predicts for one row of a file.
public struct RowPrediction: Sendable, Equatable, Codable {
    /// The row's number, from 0; the header is none.
    public let row: Int
    /// The probabilities of all classes, the scores of a classifier without any, or a regression's
    /// numbers.
    ///
    /// In the order of the labels, two for a binary classifier. Nil where they are not finite.
    public let outputs: [Float]?
    /// The label of the class that is most likely, or its number where the model has no labels; nil
    /// for a regression.
    public let `class`: String?
    /// Why there are no outputs, as predictions topics mark it; nil where there are.
    public let null: Int?

    init(_ row: Int, _ prediction: [Float], of model: Model) {
        self.row = row
        guard prediction.allSatisfy(\.isFinite) else {
            (outputs, `class`, null) = (nil, nil, Int(ScoreTask.notFiniteMark))
            return
        }
        let outputs = model.classProbabilities(prediction)
        self.outputs = outputs
        null = nil
        guard model.classCount > 0 else {
            `class` = nil
            return
        }
        let best = Head.mostLikelyClass(outputs)
        `class` = best < model.labels.count ? model.labels[best] : "\(best)"
    }
}
