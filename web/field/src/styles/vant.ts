// Vant's styles one by one, without its icon font: that comes from a data address and from another server, and both are forbidden here.
import "vant/es/style/base.css";
import "vant/es/overlay/index.css";
import "vant/es/popup/index.css";
import "vant/es/loading/index.css";
import "vant/es/button/index.css";
import "vant/es/toast/index.css";
import "vant/es/dialog/index.css";
import "vant/es/picker/index.css";
