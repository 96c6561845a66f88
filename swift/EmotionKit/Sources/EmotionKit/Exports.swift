// One import gives an app everything: `import EmotionKit`.
@_exported import EmotionKitCore
@_exported import EmotionKitModel
