internal import Logging
internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceLog
internal import MillraceModels

/// What a training begins with: a checkpoint, or nothing.
extension TrainTask {
    struct Beginning {
        var trainer: LaneTrainer
        var position: TrainingPosition
        var heldOut: HeldOutRows
        var exchanger: ModelExchanger?
    }

    static func begin(
        _ stage: TrainStage, _ around: Surroundings, _ setup: TrainingSetup, lanes: Int
    ) throws -> Beginning {
        let width = around.rows.features
        let path = around.checkpointPath
        let identifier = around.specification?.identifier ?? 0
        guard let saved = try TrainingCheckpoint.load(path) else {
            let trainer = try LaneTrainer(
                setup.options, lanes: lanes, kernels: setup.kernels,
                watchesFeatures: stage.drift != nil)
            var position = TrainingPosition(
                topicID: around.rows.identity, trainingID: UInt64.random(in: 0...UInt64.max),
                settings: setup.settings, specification: identifier,
                kernels: setup.kernels.rawValue, nextMetrics: metricsRows,
                nextCheckpoint: stage.checkpointEveryRows ?? checkpointRows,
                nextVersion: stage.publishEveryRows ?? Int.max)
            let exchanger = try newExchanger(stage, around, trainer, &position)
            // From now on the training has its identity, whenever the process is killed.
            try TrainingCheckpoint.save(position, trainer: trainer.checkpoint(), to: path)
            return Beginning(
                trainer: trainer, position: position,
                heldOut: HeldOutRows(width: width, capacity: stage.gate.rows),
                exchanger: exchanger)
        }
        var position = saved.position
        guard position.topicID == around.rows.identity, position.settings == setup.settings,
            position.specification == identifier
        else {
            throw PipelineError(
                .usage,
                "model '\(stage.model)' was being trained with other settings, features or data",
                advice: "Use another data directory, or remove the checkpoint to train anew.",
                file: path)
        }
        sayWhetherBitsMayDiffer(position, setup.kernels, around)
        position.kernels = setup.kernels.rawValue
        position.openBLASCore = OpenBLAS.prepare().core
        let trainer: LaneTrainer
        do throws(ModelError) {
            trainer = try LaneTrainer(
                checkpoint: saved.trainer, setup.options, lanes: lanes, kernels: setup.kernels,
                watchesFeatures: stage.drift != nil, exchanges: stage.exchange != nil)
        } catch {
            throw PipelineError(
                .badData, error.description,
                advice: "Remove the file to train from the beginning.", file: path)
        }
        guard
            let heldOut = HeldOutRows(
                saved.heldOut, width: width, capacity: stage.gate.rows)
        else {
            throw PipelineError(
                .badData, "\(saved.heldOut.count) bytes are no held-out rows of \(width) features",
                advice: "Remove the file to train from the beginning.", file: path)
        }
        let exchanger = try goOnExchanging(stage, around, trainer, &position)
        if position.exchange != saved.position.exchange {
            try TrainingCheckpoint.save(
                position, heldOut: saved.heldOut, trainer: trainer.checkpoint(), to: path)
        }
        return Beginning(
            trainer: trainer, position: position, heldOut: heldOut, exchanger: exchanger)
    }

    private static func sayWhetherBitsMayDiffer(
        _ position: TrainingPosition, _ set: KernelSet, _ around: Surroundings
    ) {
        let kernels = set.rawValue
        let core = OpenBLAS.prepare().core
        guard position.kernels != kernels || position.openBLASCore != core else { return }
        around.logger.warning(
            """
            \(around.status.name): the checkpoint was made with kernels \(position.kernels) and \
            OpenBLAS \(position.openBLASCore), and goes on with \(kernels) and \(core): the last \
            bits of the weights may differ from those of an undisturbed training
            """,
            metadata: [
                "kernels": "\(kernels)", "openblas": "\(core)",
                "checkpoint_kernels": "\(position.kernels)",
                "checkpoint_openblas": "\(position.openBLASCore)",
            ])
    }
}
