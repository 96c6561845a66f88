#if canImport(Vision)
  import CoreML
  import Foundation

  /// Finds a model, checks it, compiles it once, and opens it.
  struct CoreMLModelLoader: Sendable {
    /// A compiled model on disk, with what its manifest says.
    struct Prepared: Sendable {
      let compiled: URL
      let manifest: ModelManifest?
      /// Where the manifest lies.
      let folder: URL
      /// Of the model's files; nil for a compiled model without a manifest.
      let sha256: String?
      /// Told the contract of the opened model, for it may be that of a demonstration.
      let announce: @Sendable (ModelContract) -> Void
    }

    /// A model in memory. Not Sendable: made and used on one ``VisionQueue``.
    struct Opened {
      let model: MLModel
      let contract: ModelContract
      let diagnostics: InferenceDiagnostics
    }

    /// One cache for the process, so that two monitors compile once.
    private static let sharedCache = CompiledModelCache(
      directory: CompiledModelCache.defaultDirectory)

    private let cache: CompiledModelCache
    private let downloader: ModelDownloader
    private let memory: CanaryMemory
    private let announce: @Sendable (ModelContract) -> Void

    /// - Parameter announce: told the contract of every model that is opened.
    init(
      cache: CompiledModelCache? = nil, downloader: ModelDownloader = ModelDownloader(),
      memory: CanaryMemory? = nil,
      announce: @escaping @Sendable (ModelContract) -> Void = DemoNotice.log
    ) {
      self.cache = cache ?? Self.sharedCache
      self.downloader = downloader
      self.memory =
        memory
        ?? CanaryMemory(
          directory: CompiledModelCache.defaultDirectory.appendingPathComponent("Canary"))
      self.announce = announce
    }

    /// Finds, or fetches, and compiles.
    ///
    /// - Throws: ``EmotionKitError``, or `CancellationError` during a download.
    func prepare(_ source: EmotionModelSource) async throws -> Prepared {
      let located: LocatedModel
      switch source {
      case .bundled: located = try ModelLocator.inspect(EmotionModelBundle.locate())
      case .url(let url, _): located = try ModelLocator.inspect(url)
      case .download(let model):
        located = try ModelLocator.inspect(await downloader.download(model))
      }
      let manifest = try Self.manifest(of: located)
      if case .url(_, let expected?) = source {
        let found = try ModelManifest.contentHash(of: located.url)
        guard found == expected.lowercased() else {
          throw EmotionKitError.modelFileChanged(
            path: located.url.lastPathComponent, expected: expected, found: found)
        }
      }
      guard located.kind != .mlmodelc else {
        return Prepared(
          compiled: located.url, manifest: manifest, folder: located.directory,
          sha256: manifest?.model.sha256, announce: announce)
      }
      let hash = try Self.hash(of: located, from: source, manifest: manifest)
      let compiled = try await cache.compiledModel(for: located.url, hash: hash) { url in
        try await MLModel.compileModel(at: url)
      }
      return Prepared(
        compiled: compiled, manifest: manifest, folder: located.directory, sha256: hash,
        announce: announce)
    }

    /// The check that a prepared model has to pass; nil for a model without a canary.
    ///
    /// - Throws: ``EmotionKitError`` for a canary that is not the manifest's or cannot be understood.
    func canaryCheck(of prepared: Prepared) throws(EmotionKitError) -> CanaryCheck? {
      guard let manifest = prepared.manifest, let digest = manifest.canary?.sha256,
        let canary = try Canary.read(in: prepared.folder, manifest: manifest)
      else { return nil }
      return CanaryCheck(
        canary: canary, model: prepared.sha256 ?? manifest.model.sha256, digest: digest,
        memory: memory)
    }

    /// What is inside the app is covered by its code signature, and a download was hashed before it
    /// got its place: a recorded hash is enough there. A file from elsewhere may have changed since
    /// its manifest was written.
    private static func hash(
      of located: LocatedModel, from source: EmotionModelSource, manifest: ModelManifest?
    ) throws(EmotionKitError) -> String {
      switch (source, manifest) {
      case (.bundled, let manifest?): manifest.model.sha256
      case (.download(let model), _): model.sha256
      default: try ModelManifest.contentHash(of: located.url)
      }
    }

    /// Opens a compiled model and checks its contract. Falls back to the processor once.
    ///
    /// - Throws: ``EmotionKitError/modelLoadFailed(_:reason:)`` or
    ///   ``EmotionKitError/contractMismatch(field:expected:found:)``.
    static func open(
      _ prepared: Prepared, units requested: ComputeUnits
    ) throws(EmotionKitError) -> Opened {
      #if targetEnvironment(simulator)
        let requested = ComputeUnits.cpuOnly
      #endif
      var active = requested
      var reason: String?
      let model: MLModel
      do {
        model = try load(prepared.compiled, units: requested)
      } catch {
        guard requested != .cpuOnly else { throw error }
        active = .cpuOnly
        reason = error.errorDescription
        model = try load(prepared.compiled, units: .cpuOnly)
      }
      let contract = try Self.contract(of: model.modelDescription, manifest: prepared.manifest)
      prepared.announce(contract)
      return Opened(
        model: model, contract: contract,
        diagnostics: InferenceDiagnostics(
          requested: requested, active: active, fallbackReason: reason))
    }

    private static func load(
      _ url: URL, units: ComputeUnits
    ) throws(EmotionKitError) -> MLModel {
      let configuration = MLModelConfiguration()
      configuration.computeUnits = MLComputeUnits(units)
      do {
        return try MLModel(contentsOf: url, configuration: configuration)
      } catch {
        throw .modelLoadFailed(url, reason: error.localizedDescription)
      }
    }

    private static func manifest(
      of located: LocatedModel
    ) throws(EmotionKitError) -> ModelManifest? {
      let url = located.directory.appendingPathComponent(ModelManifest.fileName)
      guard url.isExistingDirectory == false else { return nil }
      let manifest = try ModelManifest.read(in: located.directory)
      // A manifest of a model with another name is none of ours.
      return manifest.model.name == located.url.deletingPathExtension().lastPathComponent
        ? manifest : nil
    }

    private static func contract(
      of description: MLModelDescription, manifest: ModelManifest?
    ) throws(EmotionKitError) -> ModelContract {
      let userDefined = description.metadata[.creatorDefinedKey] as? [String: String]
      guard let json = userDefined?[ModelContract.metadataKey] else {
        throw .contractMismatch(
          field: "metadata", expected: "the key \(ModelContract.metadataKey)",
          found: "the keys \((userDefined ?? [:]).keys.sorted())")
      }
      let contract = try ModelContract.parse(json)
      if let manifest { try contract.validate(equals: manifest.contract) }
      try contract.validate(classLabels: description.classLabels as? [String] ?? [])
      let inputs = description.inputDescriptionsByName
      guard let constraint = inputs[contract.input]?.imageConstraint else {
        throw .contractMismatch(
          field: "input", expected: "an image named \(contract.input)",
          found: "\(inputs.keys.sorted())")
      }
      let side = contract.preprocess.inputSize
      guard constraint.pixelsWide == side, constraint.pixelsHigh == side else {
        throw .contractMismatch(
          field: "input size", expected: "\(side) x \(side)",
          found: "\(constraint.pixelsWide) x \(constraint.pixelsHigh)")
      }
      return contract
    }
  }

  extension MLComputeUnits {
    init(_ units: ComputeUnits) {
      switch units {
      case .cpuOnly: self = .cpuOnly
      case .cpuAndGPU: self = .cpuAndGPU
      case .cpuAndNeuralEngine: self = .cpuAndNeuralEngine
      case .all: self = .all
      }
    }
  }
#endif
