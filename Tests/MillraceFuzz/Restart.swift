import MillraceSystem

#if DEBUG
    @testable import MillraceLog
#else
    import MillraceLog
#endif

extension Bench {
    /// Makes the next opening believe that the machine was restarted since the last one.
    ///
    /// Builds for release cannot reach the word; there it does nothing.
    static func pretendMachineRestarted(_ template: Template) throws {
        #if DEBUG
            let topic = try DataDirectory(template.path, create: false).topic(Template.topic)
            let control = try PartitionFiles(
                directory: template.directory + "/" + template.folder + "/0",
                topic: Template.topic, topicID: topic.id, partition: 0
            ).openControl(writable: true)
            control.boot.storeReleasing(CheckedWord.seal(try control.bootValue() ^ 0xFFFF))
            control.clean.storeReleasing(ControlPage.written)
        #endif
    }
}
