import Millrace
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Pipelines whose feature topics store narrow elements.
@Suite struct RunElementTypeTests {
    /// The digits' pixels are whole numbers up to 16, which every element type holds exactly: what is
    /// learnt and predicted is the same to the last bit.
    @Test(arguments: TopicDefinition.Element.allCases)
    func exactElementsChangeNothing(_ element: TopicDefinition.Element) throws {
        let narrow = try summary(of: element, filter: .none)
        let wide = try summary(of: .float32, filter: .split)
        #expect(narrow.quality?.rows == 359)
        #expect(narrow.quality?.accuracy == wide.quality?.accuracy)
        #expect(narrow.quality?.logLoss == wide.quality?.logLoss)
        #expect((narrow.quality?.accuracy ?? 0) > 0.9)
    }

    private func summary(
        of element: TopicDefinition.Element, filter: Filter
    ) throws -> StageSummary {
        var definition = try PipelineDefinition.load(SharedData.root + "/models/digits.yaml")
        for index in definition.topics.indices {
            guard case .features(let width, _, let labelled) = definition.topics[index].content
            else { continue }
            definition.topics[index].content = .features(
                width: width, element: element, labelled: labelled)
            definition.topics[index].storage.filter = filter
        }
        for index in definition.stages.indices {
            guard case .train(var train) = definition.stages[index].work else { continue }
            train.epochs = 3
            definition.stages[index].work = .train(train)
        }
        let directory = try TemporaryDirectory()
        let result = try runToEnd(definition, data: directory)
        return try #require(result.summary.stage("score"))
    }
}
