internal import MillraceFeatures
internal import MillraceKafka
internal import MillraceModels

extension TopicDefinition.Content {
    /// What the topic holds, in the words of an error message.
    var noun: String {
        switch self {
        case .bytes: "bytes"
        case .features: "features"
        case .predictions: "predictions"
        }
    }

    /// What records of Kafka are where nobody says.
    var kafkaFormat: KafkaFormat { self == .bytes ? .bytes : .float32 }
}

extension Objective {
    var noun: String {
        switch self {
        case .regression: "a number"
        case .logistic: "one of two classes"
        case .softmax(let classes): "one of \(classes) classes"
        }
    }
}

extension LabelRule.Rule {
    var noun: String {
        switch self {
        case .test: "a test"
        case .value: "a number"
        case .classes(let names): "one of \(names.count) classes"
        }
    }
}
