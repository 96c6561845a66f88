"""The two tables; the modules beside this one fill them."""

from fer_convert.coreml_runtime.fast.lowering import Translations

MIL = Translations()
LAYERS = Translations()
